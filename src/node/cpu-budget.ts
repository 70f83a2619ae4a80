// How much a process may compute before it should turn to something else. Counted is the processor's time and not the
// clock's: on a crowded machine most of the latter goes to other processes, and a node that therefore looks at fewer
// requests makes smaller blocks, which cost all nodes more for each request, so that all get ever slower.

/** Microseconds of the processor that the process has had. One look costs a microsecond. */
const processTime = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** From now on: has the process had more of the processor than that? */
export function cpuBudget(milliseconds: number, usedUs: () => number = processTime): () => boolean {
  const end = usedUs() + milliseconds * 1000;
  return () => usedUs() > end;
}
