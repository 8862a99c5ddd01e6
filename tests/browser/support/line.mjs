// SPDX-License-Identifier: MIT
// The line between a page and the server, in the hands of a test: a proxy
// that can hold what passes (as a network that is away for a moment), or cut
// everything and let nobody in.
import { connect, createServer } from 'node:net';

/** Gives a line to the server behind `link`; `line.link` leads through it. */
export async function startLine(link) {
  const line = new Line(link);
  await new Promise((done) => line.server.listen(0, '127.0.0.1', done));
  return line;
}

class Line {
  constructor(link) {
    this.to = new URL(link);
    this.wires = new Set();
    this.passes = true;
    this.server = createServer((near) => this.join(near));
  }

  get link() {
    const link = new URL(this.to);
    link.port = this.server.address().port;
    return link.href;
  }

  join(near) {
    if (!this.passes) return near.destroy();
    const far = connect(Number(this.to.port), this.to.hostname);
    const wire = { near, far };
    this.wires.add(wire);
    for (const [from, into] of [[near, far], [far, near]]) {
      from.on('data', (part) => into.write(part));
      from.on('error', () => {});
      from.on('close', () => {
        this.wires.delete(wire);
        into.destroy();
      });
    }
  }

  /** Nothing passes, and neither side is told; release() lets it all pass. */
  hold() {
    for (const { near, far } of this.wires) near.pause(), far.pause();
  }

  /** What the page sends arrives; what the server says does not. */
  holdAnswers() {
    for (const { far } of this.wires) far.pause();
  }

  release() {
    for (const { near, far } of this.wires) near.resume(), far.resume();
  }

  /** Every connection breaks, and none is made until mend(). */
  cut() {
    this.passes = false;
    for (const { near, far } of this.wires) near.destroy(), far.destroy();
  }

  mend() {
    this.passes = true;
  }

  stop() {
    this.cut();
    this.server.close();
  }
}
