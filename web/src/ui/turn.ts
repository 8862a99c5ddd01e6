// SPDX-License-Identifier: MIT
// One turn: a question and its answers, as a template of <chatbox-chat>.
import { css, html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { attachmentOf } from '../core/attachment';
import { finishWords } from '../core/problem';
import type { Problem } from '../core/problem';
import type { Entry, Turn } from '../core/transcript';
import { secondsLeft, usageLine } from '../core/words';
import { icon } from './icons';
import './chatbox-markdown';

export interface TurnActions {
  base: string; // of the server, absolute
  now: number;
  open: boolean; // the link is up
  idle: boolean; // no answer is running
  last: boolean; // this is the newest turn
  copied?: Entry;
  modelName(id: string): string | undefined;
  copy(entry: Entry): void;
  regenerate(entry: Entry): void;
  sendAgain(entry: Entry): void;
  edit(entry: Entry): void;
}

/** Everything that the template of a turn depends on. */
export function turnState(turn: Turn, act: TurnActions): unknown[] {
  const { now, open, idle, last, copied } = act;
  const state: unknown[] = [open, idle, last, copied && copied.key];
  for (const e of [turn.head, ...turn.answers]) {
    if (!e) continue;
    state.push(e.key, e.content, e.status, e.superseded, e.messageId, e.usage);
    state.push(e.file?.file_id, e.file?.file_url);
    state.push(e.problem, secondsLeft(e.problem?.retryAt, now));
    state.push(isHanging(e, now));
  }
  if (last && turn.head && turn.answers.length === 0)
    state.push(isForgotten(turn.head, now));
  return state;
}

export function turnTemplate(turn: Turn, act: TurnActions): TemplateResult {
  const valid = turn.answers.filter((a) => !a.superseded);
  const older = turn.answers.filter((a) => a.superseded);
  return html`
    <div class="turn">
      ${turn.head ? headTemplate(turn.head, act) : nothing}
      ${older.length > 0 ? olderTemplate(older) : nothing}
      ${valid.map((answer) => answerTemplate(answer, act))}
      ${turn.head ? troubleTemplate(turn.head, turn, act) : nothing}
    </div>
  `;
}

function headTemplate(entry: Entry, act: TurnActions): TemplateResult {
  if (entry.role === 'system')
    return html`<p class="system">${entry.content} ${fileTemplate(entry, act.base)}</p>`;
  const operator = entry.role === 'admin';
  return html`
    <div class="message ${operator ? 'operator' : 'question'}">
      <h2 class=${operator ? 'who' : 'visually-hidden'}>
        ${operator ? 'Operator' : 'You wrote'}
      </h2>
      <div class="bubble">
        <div dir="auto">${entry.content}</div>
        ${fileTemplate(entry, act.base)}
      </div>
      ${waitingTemplate(entry, act)}
    </div>
  `;
}

function fileTemplate(entry: Entry, base: string) {
  const file = entry.file && attachmentOf(entry.file, base);
  if (!file) return nothing;
  const name = html`<bdi>${file.name}</bdi>`;
  if (file.picture)
    return html`
      <a
        class="picture"
        href=${file.url!}
        target="_blank"
        rel="noopener noreferrer"
        ><img
          src=${file.url!}
          alt=${`Picture: ${file.name}`}
          loading="lazy"
      /></a>
    `;
  return html`
    <span class="file">
      File:
      ${file.url
        ? html`<a
            href=${file.url}
            target="_blank"
            rel="noopener noreferrer"
            >${name}</a
          >`
        : name}
    </span>
  `;
}

function waitingTemplate(entry: Entry, act: TurnActions) {
  if (entry.status !== 'queued') return nothing;
  if (!act.open)
    return html`<p class="small">Will be sent when the connection is back.</p>`;
  return isHanging(entry, act.now)
    ? html`<p class="small">Being sent…</p>`
    : nothing;
}

/** Usually the acknowledgement comes before anybody could read this. */
function isHanging(entry: Entry, now: number): boolean {
  return entry.status === 'queued' && now - (entry.time ?? 0) > 1_500;
}

function olderTemplate(older: Entry[]): TemplateResult {
  const count = older.length;
  return html`
    <details class="older">
      <summary>
        ${icon('chevron')}
        ${count === 1 ? 'One earlier version' : `${count} earlier versions`}
      </summary>
      ${older.map(
        (answer) => html`
          <div class="old">
            <chatbox-markdown .text=${answer.content}></chatbox-markdown>
            ${endingTemplate(answer)}
          </div>
        `,
      )}
    </details>
  `;
}

function answerTemplate(answer: Entry, act: TurnActions): TemplateResult {
  const running = answer.status === 'waiting' || answer.status === 'streaming';
  return html`
    <div class="message answer" aria-busy=${running ? 'true' : 'false'}>
      <h2 class="visually-hidden">Answer</h2>
      ${answer.content
        ? html`<chatbox-markdown
            .text=${answer.content}
            .streaming=${running}
          ></chatbox-markdown>`
        : nothing}
      ${fileTemplate(answer, act.base)}
      ${answer.status === 'waiting' ? thinking : nothing}
      ${running ? nothing : footTemplate(answer, act)}
    </div>
  `;
}

const thinking = html`
  <div class="thinking">
    <span class="visually-hidden">The model is thinking.</span>
    <i></i><i></i><i></i>
  </div>
`;

function footTemplate(answer: Entry, act: TurnActions): TemplateResult {
  const again = act.last && act.idle && act.open && answer.messageId;
  const copied = act.copied === answer;
  return html`
    ${endingTemplate(answer)}
    <div class="foot">
      ${answer.content
        ? html`<button
            class="icon small-icon"
            title="Copy the answer"
            aria-label="Copy the answer"
            @click=${() => act.copy(answer)}
          >
            ${icon(copied ? 'check' : 'copy')}
          </button>`
        : nothing}
      ${again
        ? html`<button
            class="icon small-icon"
            title="Write another answer"
            aria-label="Write another answer"
            @click=${() => act.regenerate(answer)}
          >
            ${icon('again')}
          </button>`
        : nothing}
      <span class="usage">${usageLine(answer, act.modelName)}</span>
    </div>
  `;
}

function endingTemplate(answer: Entry) {
  const words = finishWords(answer.finishReason ?? reasonOf(answer));
  return words
    ? html`<p class="ending ${answer.status}">${words}</p>`
    : nothing;
}

/** Old rows may have a status without a reason. */
function reasonOf(answer: Entry): string | undefined {
  return answer.status === 'complete' ? undefined : answer.status;
}

function troubleTemplate(head: Entry, turn: Turn, act: TurnActions) {
  if (head.role !== 'user') return nothing;
  if (head.problem) return problemTemplate(head, head.problem, act);
  const lonely = turn.answers.length === 0 && act.last && act.idle && act.open;
  if (!lonely || !head.messageId || !isForgotten(head, act.now)) return nothing;
  return html`
    <div class="callout quiet">
      <span>This question has no answer.</span>
      <button class="outline" @click=${() => act.regenerate(head)}>
        Ask again
      </button>
    </div>
  `;
}

/** Long enough ago that an answer would have begun. */
function isForgotten(head: Entry, now: number): boolean {
  return now - (head.time ?? 0) > 15_000;
}

function problemTemplate(head: Entry, problem: Problem, act: TurnActions) {
  const left = secondsLeft(problem.retryAt, act.now);
  const refused = head.status === 'refused';
  const again = refused ? 'Send again' : 'Ask again';
  const run = () => (refused ? act.sendAgain(head) : act.regenerate(head));
  return html`
    <div class="callout" role="alert">
      ${icon('warning')}
      <span>${problem.text}</span>
      ${refused
        ? html`<button class="outline" @click=${() => act.edit(head)}>
            Edit
          </button>`
        : nothing}
      ${problem.recoverable
        ? html`<button
            class="outline"
            ?disabled=${left > 0 || !act.open || !act.idle}
            @click=${run}
          >
            ${again}${left > 0
              ? html`<span aria-hidden="true">in ${left} s</span>`
              : nothing}
          </button>`
        : nothing}
    </div>
  `;
}

export const turnStyles = css`
  .turn {
    display: flex;
    flex-direction: column;
    gap: 1.1rem;
    padding-block: 0.9rem;
  }

  .message {
    position: relative;
  }

  .question {
    display: flex;
    flex-direction: column;
    align-items: flex-end;
  }

  .bubble {
    max-width: min(100%, 36rem);
    padding: 0.65rem 1rem;
    border-radius: 1.15rem;
    background: var(--bubble);
    overflow-wrap: anywhere;
  }

  /* Of the text alone: the template has line breaks of its own around it. */
  .bubble > div {
    white-space: pre-wrap;
  }

  .question .bubble {
    margin-inline-start: 2.5rem;
    border-end-end-radius: 0.35rem;
  }

  .picture {
    display: block;
    margin-top: 0.4rem;
  }

  .picture img {
    display: block;
    max-width: min(100%, 22rem);
    max-height: 16rem;
    border-radius: 0.7rem;
  }

  .file {
    display: block;
    font-size: 0.94rem;
  }

  .file a {
    color: inherit;
  }

  .operator .bubble {
    width: fit-content;
    border-end-start-radius: 0.35rem;
    background: var(--accent-soft);
  }

  .who {
    margin-bottom: 0.25rem;
    font-size: 0.82rem;
    font-weight: 600;
    color: var(--accent);
  }

  .small,
  .usage,
  .ending {
    font-size: 0.82rem;
    color: var(--muted);
  }

  .small {
    margin-top: 0.3rem;
  }

  .system {
    text-align: center;
    font-size: 0.86rem;
    color: var(--muted);
  }

  .ending {
    width: fit-content;
    margin-top: 0.7rem;
  }

  .ending.interrupted {
    padding: 0.25rem 0.7rem;
    border-radius: 0.5rem;
    background: var(--warn-soft);
    color: var(--warn);
  }

  .foot {
    display: flex;
    align-items: center;
    gap: 0.15rem;
    margin: 0.45rem 0 0 -0.45rem;
    min-height: 2rem;
  }

  button.small-icon {
    width: 2rem;
    height: 2rem;
  }

  .small-icon svg {
    width: 1.02rem;
    height: 1.02rem;
  }

  .usage {
    margin-inline-start: 0.45rem;
    font-variant-numeric: tabular-nums;
  }

  .thinking {
    display: flex;
    gap: 0.32rem;
    padding-block: 0.55rem;
  }

  .thinking i {
    width: 0.5rem;
    height: 0.5rem;
    border-radius: 50%;
    background: var(--accent);
    animation: think 1.3s ease-in-out infinite;
  }

  .thinking i:nth-of-type(2) {
    animation-delay: 0.16s;
  }

  .thinking i:nth-of-type(3) {
    animation-delay: 0.32s;
  }

  @keyframes think {
    0%,
    70%,
    100% {
      opacity: 0.25;
      transform: none;
    }
    35% {
      opacity: 1;
      transform: translateY(-0.18rem);
    }
  }

  .older summary {
    display: inline-flex;
    align-items: center;
    gap: 0.35rem;
    padding: 0.2rem 0.6rem 0.2rem 0.35rem;
    border-radius: 0.5rem;
    font-size: 0.86rem;
    color: var(--muted);
    cursor: pointer;
    list-style: none;
  }

  .older summary::-webkit-details-marker {
    display: none;
  }

  .older summary:hover {
    background: var(--hover);
    color: var(--text);
  }

  .older svg {
    transform: rotate(-90deg);
    transition: transform 120ms;
  }

  .older[open] svg {
    transform: none;
  }

  .old {
    margin-top: 0.7rem;
    padding-inline-start: 1rem;
    border-inline-start: 2px solid var(--line);
    color: var(--muted);
  }

  .callout {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem 0.7rem;
    padding: 0.55rem 0.6rem 0.55rem 0.9rem;
    border-radius: 0.8rem;
    background: var(--danger-soft);
    color: var(--danger);
    font-size: 0.94rem;
  }

  .callout > span {
    flex: 1 1 12rem;
  }

  .callout.quiet {
    background: var(--panel);
    color: var(--muted);
  }

  .callout button {
    padding-block: 0.3rem;
  }

  .callout button:not(:disabled) {
    color: var(--text);
  }
`;
