// Buffer methods that Node has had since version 0 but @types/node does not list: one call into C++, no dispatch.

export {};

declare global {
  interface Buffer {
    latin1Slice(start: number, end: number): string;
    latin1Write(text: string, offset: number, length?: number): number;
    utf8Slice(start: number, end: number): string;
    utf8Write(text: string, offset: number, length?: number): number;
  }
}
