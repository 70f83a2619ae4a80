// Loaded into a node's process before anything else (node --import): a fault from within, at the moment of SIGUSR2.
// PLANT says which: "disk", every later write fails as LevelDB's do when the disk gives errors; "throw", an exception
// that nobody catches; "reject", a promise that nobody waits for; "clock", one that is five minutes ahead from then on.

import { ClassicLevel } from "classic-level";

const faults = {
  disk() {
    ClassicLevel.prototype.batch = async () => {
      const error = new Error("IO error: 000003.log: Input/output error");
      throw Object.assign(error, { code: "LEVEL_IO_ERROR" });
    };
  },
  throw() {
    setImmediate(() => {
      throw new Error("a planted exception");
    });
  },
  reject() {
    void Promise.reject(new Error("a planted rejection"));
  },
  clock() {
    const rightTime = Date.now;
    Date.now = () => rightTime() + 300_000;
  },
};

process.once("SIGUSR2", faults[process.env.PLANT]);
