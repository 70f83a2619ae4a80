// The simulated links: order, loss, duplicates, cuts in one direction, clogging.

import { describe, expect, test } from "vitest";
import { Draw } from "../../src/sim/draw.js";
import { EventQueue } from "../../src/sim/events.js";
import { FAIR_WEATHER, Network, type Weather } from "../../src/sim/network.js";

interface Arrival {
  readonly from: number;
  readonly to: number;
  readonly number: number;
  readonly at: number;
}

function networkOf(weather: Partial<Weather> = {}) {
  const queue = new EventQueue();
  const arrivals: Arrival[] = [];
  const network = new Network({
    queue,
    draw: new Draw(7, "network test"),
    endpoints: 3,
    latencyOf: () => [1, 50],
    weather: { ...FAIR_WEATHER, ...weather },
    deliver: (from, to, [bytes]) => void arrivals.push({ from, to, number: bytes?.[0] ?? -1, at: queue.now }),
  });
  const send = (from: number, to: number, number: number) => network.send(from, to, [Uint8Array.of(number)]);
  const numbers = () => arrivals.map(({ number }) => number);
  return { queue, network, arrivals, send, numbers };
}

const HUNDRED = Array.from({ length: 100 }, (_, i) => i);

describe("the simulated network", () => {
  test("keeps the order of each link, whatever the delays", async () => {
    const { queue, send, numbers } = networkOf();
    for (const number of HUNDRED) send(0, 1, number);
    await queue.runUntil(1000);
    expect(numbers()).toEqual(HUNDRED);
  });

  test("lets frames overtake each other when that is drawn", async () => {
    const { queue, send, numbers } = networkOf({ overtaken: 0.5 });
    for (const number of HUNDRED) send(0, 1, number);
    await queue.runUntil(1000);
    expect(numbers()).not.toEqual(HUNDRED);
    expect(numbers().sort((a, b) => a - b)).toEqual(HUNDRED);
  });

  test("loses about the drawn share, and doubles about the drawn share", async () => {
    const lossy = networkOf({ loss: 0.3 });
    const doubling = networkOf({ duplicates: 0.3 });
    for (const number of HUNDRED) {
      lossy.send(0, 1, number);
      doubling.send(0, 1, number);
    }
    await lossy.queue.runUntil(1000);
    await doubling.queue.runUntil(1000);
    expect(lossy.arrivals.length).toBeGreaterThan(50);
    expect(lossy.arrivals.length).toBeLessThan(90);
    expect(lossy.network.lost).toBe(100 - lossy.arrivals.length);
    expect(doubling.arrivals.length).toBeGreaterThan(110);
    expect(doubling.arrivals.length).toBeLessThan(150);
  });

  test("cuts one direction only, and loses what is under way", async () => {
    const { queue, network, send, numbers } = networkOf();
    send(0, 1, 1);
    network.cut(0, 1);
    send(0, 1, 2);
    send(1, 0, 3);
    await queue.runUntil(100);
    expect(numbers()).toEqual([3]);
    network.heal(0, 1);
    send(0, 1, 4);
    await queue.runUntil(200);
    expect(numbers()).toEqual([3, 4]);
  });

  test("a link that was cut twice works when it was healed twice", async () => {
    const { queue, network, send, numbers } = networkOf();
    network.cut(0, 1);
    network.cut(0, 1);
    network.heal(0, 1);
    send(0, 1, 1);
    network.heal(0, 1);
    send(0, 1, 2);
    await queue.runUntil(100);
    expect(numbers()).toEqual([2]);
    expect(() => network.heal(0, 1)).toThrow("was not cut");
  });

  test("a clogged link delivers everything, in order, when it is clear", async () => {
    const { queue, network, send, arrivals, numbers } = networkOf();
    network.clog(0, 1, 500);
    for (const number of HUNDRED) send(0, 1, number);
    send(1, 0, 100);
    await queue.runUntil(499);
    expect(numbers()).toEqual([100]);
    await queue.runUntil(1000);
    expect(numbers()).toEqual([100, ...HUNDRED]);
    expect(Math.min(...arrivals.slice(1).map(({ at }) => at))).toBeGreaterThanOrEqual(500);
  });
});
