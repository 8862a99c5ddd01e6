// SPDX-License-Identifier: MIT
// Keeps a scrolled area at its end while it grows, until the reader scrolls
// up; from then on it leaves the reader alone until told to follow again.

const NEAR_PX = 48;

export class Stick {
  /** What is there is no conversation: it is shown from its beginning. */
  resting = false;
  private following = true;
  private lastTop = 0;
  private readonly watcher: ResizeObserver;

  constructor(
    private readonly scroller: HTMLElement,
    inner: HTMLElement,
    private readonly onChange: (following: boolean) => void,
  ) {
    this.watcher = new ResizeObserver(() => this.onGrowth());
    this.watcher.observe(inner);
    this.watcher.observe(scroller);
    scroller.addEventListener('scroll', this.onScroll, { passive: true });
    scroller.addEventListener('wheel', this.onWheel, { passive: true });
  }

  disconnect(): void {
    this.watcher.disconnect();
    this.scroller.removeEventListener('scroll', this.onScroll);
    this.scroller.removeEventListener('wheel', this.onWheel);
  }

  /** To the end, and stay there. */
  follow(): void {
    this.set(true);
    this.toEnd();
  }

  private toEnd(): void {
    this.scroller.scrollTop = this.resting ? 0 : this.scroller.scrollHeight;
    this.lastTop = this.scroller.scrollTop;
  }

  private onGrowth(): void {
    if (this.following) this.toEnd();
    else if (this.distance() < 1) this.set(true);
  }

  private distance(): number {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  /** Upwards is the reader's doing: growth moves us only down. */
  private readonly onScroll = () => {
    const top = this.scroller.scrollTop;
    const up = top < this.lastTop - 2;
    this.lastTop = top;
    if (this.distance() < NEAR_PX) this.set(true);
    else if (up) this.set(false);
  };

  /** At once, before the next growth can pull the reader back. */
  private readonly onWheel = (event: WheelEvent) => {
    const { scrollHeight, clientHeight } = this.scroller;
    if (event.deltaY < 0 && scrollHeight > clientHeight) this.set(false);
  };

  private set(following: boolean): void {
    if (this.following === following) return;
    this.following = following;
    this.onChange(following);
  }
}
