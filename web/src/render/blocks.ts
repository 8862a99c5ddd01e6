// SPDX-License-Identifier: MIT
// Cuts growing Markdown into blocks. Blocks that can no longer change are
// frozen: they are parsed and rendered once, however long the answer gets.
// Only the last, open block is parsed again when text arrives.
import { Lexer } from 'marked';
import type { MarkedOptions, Token, Tokens, TokensList } from 'marked';

type Links = TokensList['links'];

/** A longer list freezes item by item, not as a whole. */
const LONG_LIST = 4_000;

/** A frozen block. */
export interface Piece {
  token: Token;
  joins: boolean; // its items belong to the list of the piece before
}

/** An open code fence: its text grows without any parsing. */
export interface OpenFence {
  language: string;
  code: string;
}

export class BlockSplitter {
  /** Source that is frozen; a new text must begin with it. */
  frozen = '';
  private text = '';
  private linesSeen = 0; // length of the complete lines already looked at
  private inList = false; // the frozen text ends inside a list
  private links: Links = {}; // definitions in complete lines

  constructor(private readonly options: MarkedOptions) {}

  /**
   * Takes the whole text so far. Gives the blocks that froze by it, in order;
   * undefined when the text does not continue the frozen one: start anew.
   */
  feed(text: string): Piece[] | undefined {
    // As the lexer does; a CR whose LF is still to come makes no difference.
    this.text = text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
    if (!this.text.startsWith(this.frozen)) return undefined;
    const lines = this.text.lastIndexOf('\n') + 1;
    if (lines <= this.linesSeen) return [];
    this.linesSeen = lines;
    if (this.openFence()) return [];
    return this.freeze(this.text.slice(this.frozen.length, lines));
  }

  /** The end of the text: everything freezes. */
  finish(): Piece[] {
    const rest = this.pieces(this.open());
    this.frozen = this.text;
    this.linesSeen = this.text.length;
    return rest;
  }

  /** The open text goes on with the list that the frozen text ends in. */
  get joins(): boolean {
    return this.inList;
  }

  /** The text after the last frozen block, as blocks. */
  open(): Token[] {
    return this.lex(this.text.slice(this.frozen.length));
  }

  /** When the open block is a fence at the margin that has not ended. */
  openFence(): OpenFence | undefined {
    const tail = this.text.slice(this.frozen.length);
    const begin = /^\n*(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n`]*\n/.exec(tail);
    if (!begin) return undefined;
    const mark = begin[1]!;
    const body = tail.slice(begin[0].length);
    const end = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}[ \\t]*$`, 'm');
    if (end.test(body)) return undefined;
    return { language: begin[2] ?? '', code: body };
  }

  /**
   * Only complete lines are looked at, and of these all blocks but the last:
   * no later line can change those. (An incomplete line could: "2" is a
   * paragraph after a list until it becomes "2. ".)
   */
  private freeze(lines: string): Piece[] {
    const tokens = this.lex(lines);
    this.links = { ...tokens.links };
    let last = tokens.length - 1;
    while (last > 0 && tokens[last]!.type === 'space') last--;
    const parts = splitList(tokens[last]);
    if (parts) tokens.splice(last++, 1, ...parts);
    const open = tokens.slice(last);
    // Counted from the end, as the lexer gives no tokens for definitions, and
    // without its white space, which it cuts off the last item of a list.
    const rest = open.map((t) => t.raw).join('').trimEnd();
    const end = lines.trimEnd();
    const done = tokens.slice(0, Math.max(0, last));
    if (done.length === 0 || !end.endsWith(rest)) return [];
    this.frozen += end.slice(0, end.length - rest.length);
    const pieces = this.pieces(done);
    this.inList = parts !== undefined;
    return pieces;
  }

  private pieces(tokens: Token[]): Piece[] {
    return tokens.map((token, i) => ({
      token,
      joins: i === 0 && this.inList && token.type === 'list',
    }));
  }

  private lex(source: string): TokensList {
    const lexer = new Lexer(this.options);
    Object.assign(lexer.tokens.links, this.links);
    return lexer.lex(source);
  }
}

/** A long list as its finished items and its last one. */
function splitList(token: Token | undefined): Token[] | undefined {
  if (token?.type !== 'list' || token.raw.length < LONG_LIST) return undefined;
  const list = token as Tokens.List;
  const items = list.items.slice(0, -1);
  const last = list.items.at(-1)!;
  if (items.length === 0) return undefined;
  const raw = list.raw.slice(0, list.raw.length - last.raw.length);
  return [{ ...list, raw, items }, last];
}
