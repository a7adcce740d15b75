// The words of the dashboard, in both languages. A test holds the two tables together.

export const WORDS = {
  en: {
    alerts: "Alerts", logout: "Log out", language: "한국어", live: "live", reconnecting: "reconnecting…",
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
    fleet: "Fleet", servers: "Servers", hosts: "servers", dependencies: "Dependencies", truth: "Truth", scenario: "scenario",
    seed: "seed", addServer: "Add a server", emptyFleet: "The fleet has no servers.", role: "role", site: "site", groupBy: "Group by",
    searchHosts: "Filter by name, role, site or health", cores: "cores", fault: "Fault", more: "Show more", less: "Show less",
    calls: "Calls", calledBy: "Called by", caller: "Caller", count: "Count", notOk: "not ok", asList: "The same as a list",
    graphHint: "Point at a server or choose one to see what it calls and who calls it; the arrow keys walk.",
    graphOrder: "Callers stand above what they call.", faultOn: "A fault on", duration: "Duration", fitsRole: "Usual for this role",
    otherKinds: "Others", harmlessKinds: "Harmless, but looks like a fault", harmless: "harmless", running: "Faults under way",
    planned: "in the next 24 hours", noFaults: "Nothing is wrong with the fleet at the moment.", timeLeft: "time left", startsAt: "starts",
    cancelFault: "Cancel", cancelled: "cancelled", symptoms: "What can be seen", allSeries: "every series", nothingWrong: "nothing was wrong", timeline: "When",
    verdict: "Verdict", after: "after", legend: "What the verdicts mean",
    noTruth: "Nothing befell the fleet in this time, and nothing was raised.", anomalies: "Anomalies", rises: "rises", falls: "falls",
    missing: "goes missing", matched: "matched", missed: "missed", falseAlarm: "false alarm", leftAlone: "left alone", notYet: "not yet",
    unwatched: "before the start", toCome: "to come",
    matchedMeans: "A fault, and something was raised on one of its servers while it lasted or within five minutes after.",
    missedMeans: "A fault that is over, and nothing was raised on any of its servers.",
    falseAlarmMeans: "Something was raised that no fault explains, be it about a harmless event or about nothing.",
    leftAloneMeans: "A harmless event about which nothing was raised, which is right.",
    notYetMeans: "A fault under way about which nothing has been raised so far.",
    unwatchedMeans: "It was over before this fleet was watched for the first time, so nothing could be raised.",
    toComeMeans: "It is planned and has not begun.",
    kind_memory_leak: "Memory leak", kind_cpu_runaway: "CPU runaway", kind_disk_fill: "Disk fills up", kind_disk_slow: "Slow disk",
    kind_network_loss: "Network loss", kind_noisy_neighbour: "Noisy neighbour", kind_slow_query: "Slow query",
    kind_cache_stampede: "Cache stampede", kind_dependency_outage: "Dependency outage", kind_deploy_regression: "Bad deploy",
    kind_restart_loop: "Restart loop", kind_clock_skew: "Clock skew", kind_agent_gap: "Agent gap", kind_flapping: "Flapping",
    kind_traffic_flood: "Traffic flood", kind_gradual_degradation: "Gradual degradation", kind_backup_window: "Backup window",
    kind_holiday_peak: "Holiday peak", kind_deploy_ok: "Good deploy",
    about_memory_leak: "The service keeps memory that it no longer needs, until the machine swaps and the service has to be restarted.",
    about_cpu_runaway: "A process spins and keeps the processors busy without doing work.",
    about_disk_fill: "Something writes without end until the file system is full.",
    about_disk_slow: "The disk answers slowly, so that whatever reads or writes has to wait.",
    about_network_loss: "Packets to and from the server get lost and have to be sent again.",
    about_noisy_neighbour: "Another machine on the same host takes processor time away from all that share the host.",
    about_slow_query: "A query without an index reads whole tables; everything that asks the database waits.",
    about_cache_stampede: "Entries that many ask for expire at once; the requests that the cache cannot answer fall upon the database.",
    about_dependency_outage: "A service that others need stops answering; they run into time limits, retry, and pass the errors on.",
    about_deploy_regression: "A new version is slower and makes errors until it is rolled back.",
    about_restart_loop: "The service dies shortly after each start and is started again.",
    about_clock_skew: "The clock is no longer kept and runs away.",
    about_agent_gap: "The agent that measures the machine sends nothing; the machine itself is well.",
    about_flapping: "The service goes from good to bad and back every few minutes; the load balancer takes it out and puts it back.",
    about_traffic_flood: "Many times the usual requests arrive, more than the servers can answer.",
    about_gradual_degradation: "The service gets a little slower all the time.",
    about_backup_window: "A backup reads the disk and sends what it read elsewhere; nothing is wrong.",
    about_holiday_peak: "More people than usual use the site all day, which its servers carry; nothing is wrong.",
    about_deploy_ok: "A new version is put in place and takes a few minutes to fill its caches; nothing is wrong.",
  },
  ko: {
    alerts: "알림", logout: "로그아웃", language: "English", live: "실시간", reconnecting: "다시 연결 중…",
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
    fleet: "가상 서버군", servers: "서버", hosts: "서버", dependencies: "의존 관계", truth: "실제 장애", scenario: "시나리오", seed: "시드", addServer: "서버 추가",
    emptyFleet: "가상 서버가 없습니다.", role: "역할", site: "사이트", groupBy: "묶기", searchHosts: "이름, 역할, 사이트, 상태로 찾기", cores: "코어", fault: "장애",
    more: "더 보기", less: "접기", calls: "호출 대상", calledBy: "호출하는 쪽", caller: "호출하는 쪽", count: "개수", notOk: "이상", asList: "목록으로 보기",
    graphHint: "서버를 가리키거나 고르면 호출 관계가 보입니다. 화살표 키로 옮겨 다닐 수 있습니다.", graphOrder: "호출하는 쪽이 위에 있습니다.", faultOn: "장애 주입:", duration: "지속 시간",
    fitsRole: "이 역할에 흔한 장애", otherKinds: "그 밖의 장애", harmlessKinds: "장애처럼 보이지만 무해한 일", harmless: "무해", running: "진행 중인 장애", planned: "24시간 안에 예정",
    noFaults: "지금은 아무 장애도 없습니다.", timeLeft: "남은 시간", startsAt: "시작", cancelFault: "취소", cancelled: "취소됨", symptoms: "나타나는 증상", allSeries: "모든 계열",
    nothingWrong: "아무 일도 없었음", timeline: "시간대", verdict: "판정", after: "경과", legend: "판정의 뜻", noTruth: "이 시간에는 아무 일도 없었고, 울린 알림도 없습니다.",
    anomalies: "이상 징후", rises: "상승", falls: "하락", missing: "사라짐", matched: "찾음", missed: "놓침", falseAlarm: "오탐", leftAlone: "바르게 지나침",
    notYet: "아직", unwatched: "시작 전", toCome: "예정됨", matchedMeans: "장애가 있었고, 그동안 또는 끝난 뒤 5분 안에 관련 서버에서 알림이 울렸습니다.",
    missedMeans: "장애가 끝날 때까지 관련 서버 어디에서도 알림이 울리지 않았습니다.", falseAlarmMeans: "어떤 장애로도 설명되지 않는 알림입니다. 무해한 일이거나 아무 일도 없었습니다.",
    leftAloneMeans: "무해한 일이었고 알림이 울리지 않았습니다. 올바른 결과입니다.", notYetMeans: "진행 중인 장애이며 아직 알림이 울리지 않았습니다.",
    unwatchedMeans: "이 서버군을 지켜보기 전에 끝나서 알림이 울릴 수 없었습니다.", toComeMeans: "예정되어 있고 아직 시작하지 않았습니다.",
    kind_memory_leak: "메모리 누수", kind_cpu_runaway: "CPU 폭주", kind_disk_fill: "디스크 고갈", kind_disk_slow: "느린 디스크",
    kind_network_loss: "네트워크 손실", kind_noisy_neighbour: "시끄러운 이웃", kind_slow_query: "느린 쿼리", kind_cache_stampede: "캐시 쇄도",
    kind_dependency_outage: "의존 서비스 장애", kind_deploy_regression: "잘못된 배포", kind_restart_loop: "재시작 반복", kind_clock_skew: "시계 어긋남",
    kind_agent_gap: "수집 공백", kind_flapping: "오르내림", kind_traffic_flood: "트래픽 폭주", kind_gradual_degradation: "점진적 저하",
    kind_backup_window: "백업 시간", kind_holiday_peak: "휴일 성수기", kind_deploy_ok: "정상 배포",
    about_memory_leak: "서비스가 더 필요 없는 메모리를 놓지 않아 결국 스왑이 일어나고 재시작해야 합니다.", about_cpu_runaway: "프로세스 하나가 일은 하지 않으면서 프로세서를 계속 차지합니다.",
    about_disk_fill: "무언가가 파일 시스템이 가득 찰 때까지 계속 씁니다.", about_disk_slow: "디스크 응답이 느려 읽고 쓰는 모든 작업이 기다립니다.",
    about_network_loss: "서버를 오가는 패킷이 사라져 다시 보내야 합니다.", about_noisy_neighbour: "같은 호스트의 다른 가상 서버가 프로세서 시간을 빼앗습니다.",
    about_slow_query: "무거운 쿼리 하나가 데이터베이스와 그 호출자를 느리게 합니다.", about_cache_stampede: "캐시가 비면서 모든 요청이 한꺼번에 데이터베이스로 몰립니다.",
    about_dependency_outage: "서버가 응답을 멈추고, 이를 호출하던 서버들이 차례로 실패합니다.", about_deploy_regression: "새 버전이 이전보다 느리고 오류가 많습니다.",
    about_restart_loop: "서비스가 죽고 다시 뜨기를 되풀이합니다.", about_clock_skew: "서버의 시계가 실제 시각에서 벗어납니다.",
    about_agent_gap: "서버는 정상이지만 에이전트가 보고하지 않습니다.", about_flapping: "문제가 나타났다 사라지기를 되풀이합니다.", about_traffic_flood: "요청이 평소보다 몇 배로 몰려옵니다.",
    about_gradual_degradation: "성능이 조금씩, 오랜 시간에 걸쳐 나빠집니다.", about_backup_window: "예정된 백업이 디스크와 네트워크를 바쁘게 합니다. 장애가 아닙니다.",
    about_holiday_peak: "휴일이라 이용자가 많습니다. 장애가 아닙니다.", about_deploy_ok: "문제없는 배포로 잠시 재시작만 보입니다. 장애가 아닙니다.",
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
  return told(key, key);
}

// The word for what the API names, or what the API says of it when it is not in the tables.
export function told(key, otherwise) {
  return WORDS[language()][key] ?? otherwise;
}
