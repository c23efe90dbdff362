// A run of bytes that is named, not copied: text of a request where it lies in its slab. Reused for every request, so
// that reading one makes no strings.

const EMPTY: Buffer = Buffer.alloc(0);

export class Span {
  bytes: Buffer = EMPTY;
  start = 0;
  end = 0;
  /** Memory for text that had to be made: escaped JSON, say. */
  #own: Buffer = EMPTY;

  get length(): number {
    return this.end - this.start;
  }

  /** Names `bytes[start, end)`; good as long as nobody writes there. */
  set(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  /** Holds a copy of a text, one byte a character: the caller has seen that it is ASCII, or refuses what is not. */
  setText(text: string): void {
    if (this.#own.length < text.length) this.#own = Buffer.allocUnsafeSlow(Math.max(256, text.length));
    this.set(this.#own, 0, text.length);
    this.#own.latin1Write(text, 0, text.length);
  }

  equals(bytes: Buffer, start: number, end: number): boolean {
    const mine = this.bytes;
    if (end - start !== this.end - this.start) return false;
    for (let at = this.start, other = start; other < end; at++, other++) {
      if (mine[at] !== bytes[other]) return false;
    }
    return true;
  }

  /** Writes the bytes at `offset` of `to` and answers the offset behind them. */
  copyTo(to: Buffer, offset: number): number {
    const { bytes, start, end } = this;
    // A loop beats a call at the lengths of ids.
    let at = offset;
    for (let from = start; from < end; from++) to[at++] = bytes[from]!;
    return at;
  }

  text(): string {
    return this.bytes.latin1Slice(this.start, this.end);
  }
}
