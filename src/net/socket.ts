// All writes of one turn of the event loop to one socket leave in one system call. Noise writes a length and a
// ciphertext for every frame, and Yamux answers every frame with a window update: left alone, each is a system call and
// a packet, and these cost more than everything else this folder does.

import { Socket } from "node:net";
import type { MultiaddrConnection } from "@libp2p/interface";

/** Takes effect on a TCP connection; any other is left as it is. */
export function joinWritesOfTurn(connection: MultiaddrConnection): void {
  const socket = "socket" in connection ? connection.socket : undefined;
  if (!(socket instanceof Socket)) return;
  const write = socket.write;
  const flush = (): void => socket.uncork();
  socket.write = (...args: unknown[]): boolean => {
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(flush);
    }
    const roomLeft: boolean = Reflect.apply(write, socket, args);
    // A large write goes at once: held back, it would look like a slow peer.
    if (!roomLeft) flush();
    return roomLeft;
  };
}
