// SPDX-License-Identifier: MIT
// Colours for code: the languages that answers use most. A language we do not
// know is shown as it is; guessing is slow and often wrong.
import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import csharp from 'highlight.js/lib/languages/csharp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import dockerfile from 'highlight.js/lib/languages/dockerfile';
import go from 'highlight.js/lib/languages/go';
import ini from 'highlight.js/lib/languages/ini';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import kotlin from 'highlight.js/lib/languages/kotlin';
import markdown from 'highlight.js/lib/languages/markdown';
import php from 'highlight.js/lib/languages/php';
import python from 'highlight.js/lib/languages/python';
import ruby from 'highlight.js/lib/languages/ruby';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import swift from 'highlight.js/lib/languages/swift';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';

const LANGUAGES = {
  bash, c, cpp, csharp, css, diff, dockerfile, go, ini, java, javascript,
  json, kotlin, markdown, php, python, ruby, rust, sql, swift, typescript,
  xml, yaml,
};

for (const [name, language] of Object.entries(LANGUAGES))
  hljs.registerLanguage(name, language);

/** Above this, colouring would be felt; the code is shown plain. */
const LONGEST = 60_000;

/** HTML with hljs-* classes, or undefined: show the code as it is. */
export function highlight(code: string, language: string): string | undefined {
  const name = language.toLowerCase();
  if (!name || code.length > LONGEST || !hljs.getLanguage(name))
    return undefined;
  return hljs.highlight(code, { language: name, ignoreIllegals: true }).value;
}
