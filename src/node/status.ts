// What a running node says of itself: the content of its status file, and of what commands show of a network.

import type { Announcements } from "./announcements.js";
import type { MetricValues } from "./metrics.js";

export interface NodeStatus {
  readonly node: string;
  readonly cluster: number;
  readonly pid: number;
  readonly view: number;
  readonly height: number;
  readonly primary: boolean;
  /** What a node that does not take part yet waits for. */
  readonly waitsFor?: string | undefined;
  readonly connected: number;
  readonly residentBytes: number;
  readonly metrics: MetricValues;
  readonly news: ReturnType<Announcements["news"]>;
}
