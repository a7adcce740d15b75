// The words of the dashboard, in both languages. A test holds the two tables together.

export const WORDS = {
  en: {
    fleet: "Servers", alerts: "Alerts", logout: "Log out", language: "한국어", live: "live", reconnecting: "reconnecting…",
    ask: "Ask", askLabel: "Ask about your servers", asking: "thinking…", askHint: "e.g. how are my servers?  ·  CPU 80% 넘는 서버 있어?",
    evidence: "Evidence", claim: "Figure", query: "PromQL", at: "Time", rerun: "Run again", sameValue: "same value", otherValue: "now",
    engine: "engine", close: "Close", search: "Filter by name, role or label", sort: "Sort by", name: "name", health: "health",
    ok: "ok", warning: "warning", critical: "critical", unknown: "unknown", all: "all", noServers: "No server has reported yet.",
    noMatch: "No server matches.", cpu: "CPU", memory: "Memory", disk: "Disk", load: "Load",
    swap: "Swap", network: "Network", disk_io: "Disk I/O", latency: "Latency", temperature: "Temperature", back: "All servers",
    noData: "no data", unusual: "Unusual points", analysis: "Analysis of this range", noUnusual: "Nothing unusual in this range.",
    analyzing: "analysing…", loading: "loading…", firing: "firing", pending: "pending", resolved: "resolved", flapping: "flapping",
    rule: "Rule", server: "Server", value: "Value", since: "Since", state: "State", severity: "Severity", info: "info",
    noAlerts: "No alerts. Rules decide what is worth one.", rules: "Rules", channels: "Channels", notifications: "Notifications",
    noRules: "No rules yet.", noChannels: "No channels yet.", noNotifications: "Nothing has been sent yet.", newRule: "New rule",
    newChannel: "New webhook", save: "Save", remove: "Delete", test: "Test", expr: "Expression (PromQL)", for: "For (seconds)",
    channel: "Channel", url: "URL", secret: "Secret (optional)", allowPrivate: "Receiver is in a private network", queued: "queued",
    delivered: "delivered", dead: "given up", attempts: "Attempts", title: "Title", token: "Access token", login: "Log in",
    tokenHint: "The suite keeps its first token in the file gateway/admin-token of its data folder.", wrongToken: "This token is not known here.",
    failed: "That did not work", expected: "expected", range: "Range", none: "none", tested: "The receiver took the test.",
  },
  ko: {
    fleet: "서버", alerts: "알림", logout: "로그아웃", language: "English", live: "실시간", reconnecting: "다시 연결 중…",
    ask: "질문", askLabel: "서버에 대해 물어보세요", asking: "생각 중…", askHint: "예: 서버 상태 어때?  ·  top 3 servers by memory",
    evidence: "근거", claim: "수치", query: "PromQL", at: "시각", rerun: "다시 실행", sameValue: "같은 값", otherValue: "지금",
    engine: "엔진", close: "닫기", search: "이름, 역할, 레이블로 찾기", sort: "정렬", name: "이름", health: "상태",
    ok: "정상", warning: "주의", critical: "위험", unknown: "알 수 없음", all: "전체", noServers: "아직 보고한 서버가 없습니다.",
    noMatch: "맞는 서버가 없습니다.", cpu: "CPU", memory: "메모리", disk: "디스크", load: "부하",
    swap: "스왑", network: "네트워크", disk_io: "디스크 입출력", latency: "지연 시간", temperature: "온도", back: "모든 서버",
    noData: "데이터 없음", unusual: "이상 지점", analysis: "이 구간의 분석", noUnusual: "이 구간에는 이상한 점이 없습니다.",
    analyzing: "분석 중…", loading: "불러오는 중…", firing: "발생", pending: "대기", resolved: "해소", flapping: "불안정",
    rule: "규칙", server: "서버", value: "값", since: "시작", state: "상태", severity: "심각도", info: "정보",
    noAlerts: "알림이 없습니다. 무엇을 알릴지는 규칙이 정합니다.", rules: "규칙", channels: "채널", notifications: "보낸 알림",
    noRules: "아직 규칙이 없습니다.", noChannels: "아직 채널이 없습니다.", noNotifications: "아직 보낸 것이 없습니다.", newRule: "새 규칙",
    newChannel: "새 웹훅", save: "저장", remove: "삭제", test: "시험", expr: "식 (PromQL)", for: "지속 시간(초)",
    channel: "채널", url: "URL", secret: "비밀 키(선택)", allowPrivate: "수신자가 사설망에 있음", queued: "대기 중",
    delivered: "전달됨", dead: "포기", attempts: "시도", title: "제목", token: "접근 토큰", login: "로그인",
    tokenHint: "첫 토큰은 데이터 폴더의 gateway/admin-token 파일에 있습니다.", wrongToken: "알 수 없는 토큰입니다.",
    failed: "실패했습니다", expected: "예상", range: "구간", none: "없음", tested: "수신자가 시험 알림을 받았습니다.",
  },
};

const KEY = "openmanager.lang";

export function language() {
  const saved = localStorage.getItem(KEY);
  if (saved in WORDS) return saved;
  return navigator.language.startsWith("ko") ? "ko" : "en";
}

export function setLanguage(lang) {
  localStorage.setItem(KEY, lang);
  document.documentElement.lang = lang;
}

export function t(key) {
  return WORDS[language()][key] ?? key;
}
