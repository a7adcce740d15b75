// Sets what the suite noticed beside what was wrong: what was matched, what was missed, and what was raised about nothing.

export const LATE_MS = 300000; // what is raised so long after a fault's end still counts as found: it was on its way

export const VERDICTS = ["matched", "missed", "falseAlarm", "leftAlone", "notYet", "unwatched", "toCome"];

// faults: as the API gives them. found: [{source, name, server, from, to}], times in ms, of servers of the fleet.
// epoch: when the fleet began; nobody can have noticed what was over by then.
// -> [{fault or null, found, verdict, delay}], the latest first; delay in ms from the fault's start.
export function compare(faults, found, now, epoch) {
  const byServer = new Map();
  for (const one of found) {
    if (!byServer.has(one.server)) byServer.set(one.server, []);
    byServer.get(one.server).push(one);
  }
  const explained = new Set();
  // What one server shows can be two faults at once; a look-alike has what no real fault explains.
  const during = (fault, others) => {
    const [start, end] = [Date.parse(fault.start), Date.parse(fault.end) + LATE_MS];
    const servers = new Set([fault.server, ...fault.servers]);
    const all = [...servers].flatMap((server) => byServer.get(server) ?? []);
    return all.filter((one) => one.from >= start && one.from <= end && !others.has(one)).sort((a, b) => a.from - b.from);
  };
  const rowOf = (fault, others) => {
    const its = during(fault, others);
    return { fault, found: its, verdict: verdictOf(fault, its, now, epoch), delay: its.length ? its[0].from - Date.parse(fault.start) : null };
  };
  const real = faults.filter((fault) => !fault.harmless).map((fault) => rowOf(fault, new Set()));
  for (const row of real) for (const one of row.found) explained.add(one);
  const harmless = faults.filter((fault) => fault.harmless).map((fault) => rowOf(fault, explained));
  for (const row of harmless) for (const one of row.found) explained.add(one);
  const strays = found.filter((one) => !explained.has(one)).map((one) => ({ fault: null, found: [one], verdict: "falseAlarm", delay: null }));
  return [...real, ...harmless, ...strays].sort((a, b) => startOf(b) - startOf(a));
}

function startOf(row) {
  return row.fault ? Date.parse(row.fault.start) : row.found[0].from;
}

function verdictOf(fault, found, now, epoch) {
  if (Date.parse(fault.start) > now) return "toCome";
  if (Date.parse(fault.end) < epoch) return "unwatched";
  if (fault.harmless) return found.length ? "falseAlarm" : "leftAlone";
  if (found.length) return "matched";
  return now <= Date.parse(fault.end) + LATE_MS ? "notYet" : "missed";
}
