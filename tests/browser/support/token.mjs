// SPDX-License-Identifier: MIT
// Tokens as the server's operator would give them out.
import { createHmac } from 'node:crypto';

export const SECRET = 'whoever opens these pages signs their own papers';

/** A token of `user` that is valid for `seconds`. */
export function signToken({ user = 'user', name = 'User', seconds }) {
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const part = (value) =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({
    user_id: user,
    name,
    exp,
  })}`;
  const hmac = createHmac('sha256', SECRET).update(signed);
  return `${signed}.${hmac.digest('base64url')}`;
}
