// SPDX-License-Identifier: MIT
// What the models of these tests answer. A word in the question chooses the
// answer, so that a test reads as what a person would do. The fake model (an
// OpenAI-compatible endpoint) and the mock server both play this script.

const RICH = `## Three ways to wait

A server can wait for many things at once. Here is how they compare; see the
[libuv guide](https://docs.libuv.org/) for more.

1. **Blocking threads**: simple, but each costs memory.
2. **Readiness** with \`epoll\`: one thread, *many* sockets.
   - level triggered
   - edge triggered
3. **Completion** with \`io_uring\`.

| way | memory | code |
|:--|--:|:-:|
| threads | 8 MB | short |
| epoll | 0.2 KB | longer |
| io_uring | 0.3 KB | longest |

\`\`\`c
/* Wait until the socket can be read. */
static int
wait_readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, timeout_ms);

    return n < 0 ? -errno : n; // 0: "timeout"
}
\`\`\`

> A number means: complete up to here.

- [x] measured
- [ ] written down

That is all for now.
`;

const HOSTILE = `Hello <script>window.pwned = 1</script> there.

<img src="https://evil.example/html.png" onerror="window.pwned = 2">

![picture](https://evil.example/markdown.png)

[click](javascript:window.pwned=3) and [data](data:text/html,<script>1</script>)
and [fine](https://good.example/page).

<style>body { background: url(https://evil.example/style.png) }</style>
<iframe src="https://evil.example/frame"></iframe>
<svg onload="window.pwned = 4"><a href="javascript:window.pwned=5">x</a></svg>
<form action="https://evil.example/form"><input name="a" autofocus></form>
<link rel="stylesheet" href="https://evil.example/link.css">
<p style="background: url(https://evil.example/attribute.png)">styled</p>
<video src="https://evil.example/video.mp4" autoplay></video>

\`\`\`html
<img src=x onerror="window.pwned = 6">
\`\`\`

| <img src="https://evil.example/cell.png"> | b |
|--|--|
| [x](vbscript:window.pwned=7) | <b onclick="window.pwned=8">bold</b> |

[reference]: https://evil.example/reference.png
![by reference][reference] <https://good.example/auto> end of hostile text.
`;

const ARABIC = `## كيف ينتظر الخادم

ينتظر الخادم **أشياء كثيرة** في وقت واحد، ويستعمل \`epoll\` لذلك.

1. الأول
2. الثاني

\`\`\`c
int n = poll(&p, 1, timeout_ms);
\`\`\`

And this paragraph is English.
`;

const WIDE = `A table, a line and a word, each wider than the screen.

| ${Array.from({ length: 14 }, (_, i) => `column ${i + 1}`).join(' | ')} |
|${'--|'.repeat(14)}
| ${Array.from({ length: 14 }, (_, i) => `value ${i * 7919}`).join(' | ')} |

\`\`\`c
${'wide(); '.repeat(60)}
\`\`\`

${'unbroken'.repeat(60)} \`${'code'.repeat(80)}\` https://example.org/${'path/'.repeat(40)}
`;

function longAnswer(words) {
  const parts = [];
  for (let i = 0; i < words; i += 100) {
    const n = i / 100 + 1;
    const text = Array.from({ length: 92 }, (_, j) => `word${(i + j) % 977}`);
    if (n % 7 === 0) parts.push(`### Part ${n}\n`);
    if (n % 11 === 0)
      parts.push('```python\n' + text.slice(0, 40).join('\n') + '\n```\n');
    parts.push(text.join(' ') + '.\n');
  }
  return parts.join('\n') + '\nThis is the very end.\n';
}

function pieces(text, size) {
  const all = [...text];
  const out = [];
  for (let i = 0; i < all.length; i += size)
    out.push(all.slice(i, i + size).join(''));
  return out;
}

let count = 0;

/**
 * How to answer: `pieces` with `delayMs` before each, or a failure with the
 * HTTP `status`. `cut` ends the stream without a finish reason.
 */
export function plan(question, model) {
  const has = (word) => new RegExp(`\\b${word}\\b`, 'i').test(question);
  if (has('unavailable')) return { status: 503, pieces: [], delayMs: 0 };
  if (has('rich')) return { pieces: pieces(RICH, 6), delayMs: 12 };
  if (has('hostile')) return { pieces: pieces(HOSTILE, 9), delayMs: 3 };
  if (has('arabic')) return { pieces: pieces(ARABIC, 6), delayMs: 3 };
  if (has('wide')) return { pieces: pieces(WIDE, 40), delayMs: 3 };
  if (has('novel'))
    return { pieces: pieces(longAnswer(20_000), 60), delayMs: 1 };
  if (has('slow')) {
    const words = Array.from({ length: 400 }, (_, i) => `step${i} `);
    return { pieces: words, delayMs: 50 };
  }
  if (has('cut'))
    return { pieces: ['This answer is ', 'cut'], delayMs: 20, cut: true };
  count++;
  return {
    pieces: [`Answer ${count} of ${model}`, ` to “${question}”.`],
    delayMs: 10,
  };
}
