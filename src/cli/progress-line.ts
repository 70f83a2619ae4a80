// How far a long command is, on stderr: on a terminal one line that changes, elsewhere a new one from time to time.

const EVERY_MS = { terminal: 200, other: 15_000 } as const;

export interface ProgressLine {
  /** One more is done. What failed is named at once, since the end may be hours away. */
  readonly show: (failure: string | undefined) => void;
  readonly end: () => void;
}

/** `what`: the plural of what is counted. */
export function progressLine(what: string, total: number): ProgressLine {
  const { isTTY } = process.stderr;
  const start = isTTY ? "\r\u001b[K" : "";
  const everyMs = isTTY ? EVERY_MS.terminal : EVERY_MS.other;
  const started = performance.now();
  let shownAt = started;
  let done = 0;
  let failures = 0;
  return {
    show: (failure) => {
      done++;
      if (failure !== undefined) {
        failures++;
        process.stderr.write(`${start}${failure}\n`);
      }
      const now = performance.now();
      if (now - shownAt < everyMs) return;
      shownAt = now;
      const speed = (done / ((now - started) / 1000)).toFixed(1);
      const line = `${what} ${done}/${total}, failures ${failures}, ${speed} a second`;
      process.stderr.write(isTTY ? `${start}${line}` : `${line}\n`);
    },
    end: () => {
      process.stderr.write(start);
    },
  };
}
