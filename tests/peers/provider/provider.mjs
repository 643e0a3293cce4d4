// A real OpenID Provider for the tests: npm `oidc-provider`, certified and written by
// nobody here. Its settings stay at their defaults wherever a person can sign in with
// them, so that what works here is the protocol and not an agreement between friends.
//
// node provider.mjs '{ "host", "port", "client": { client metadata (RFC 7591) } }'
//
// Prints {"listening": PORT} once it serves, and ends when its standard input does, so
// that it cannot outlive the test. GET /calls answers every call so far, oldest first.

import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider, interactionPolicy } from 'oidc-provider';

// The people of the demo: an administrator, a colleague, an outsider, an unproved address.
const PEOPLE = {
  ada: { name: 'Ada Lovelace', email: 'ada@example.com', email_verified: true, groups: ['admins', 'staff'] },
  grace: { name: 'Grace Hopper', email: 'grace@example.com', email_verified: true, groups: ['staff'] },
  mallory: { name: 'Mallory Marsh', email: 'mallory@example.net', email_verified: true, groups: [] },
  uma: { name: 'Uma Underhill', email: 'uma@example.com', email_verified: false, groups: [] },
};

const { host, port, client } = JSON.parse(process.argv[2]);
const server = createServer();
await new Promise((listening) => server.listen(port, host, listening));
const issuer = `http://${host}:${server.address().port}`;

// New keys at every start: who restarts it has seen a rotation, too.
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const signingKey = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomUUID() };

// Not in the default policy, because it needs a page that can switch; ours can.
const prompts = interactionPolicy.base();
prompts.add(new interactionPolicy.Prompt({ name: 'select_account', requestable: true }), 0);

const provider = new Provider(issuer, {
  clients: [client],
  jwks: { keys: [signingKey] },
  cookies: { keys: [randomUUID()] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username', 'groups'] },
  findAccount: (ctx, sub) => PEOPLE[sub] && {
    accountId: sub,
    claims: async () => ({ sub, preferred_username: sub, ...PEOPLE[sub] }),
  },
  features: { devInteractions: { enabled: false } },
  interactions: { policy: prompts, url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  // Consent is the provider's own affair; here everybody has given it.
  async loadExistingGrant({ oidc }) {
    const grant = new provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
    grant.addOIDCScope('openid profile email offline_access');
    await grant.save();
    return grant;
  },
});

const calls = [];

// The outermost layer: what is recorded is what was asked and what was answered, and
// it is recorded before the answer leaves.
provider.use(async (ctx, next) => {
  if (ctx.path === '/calls') {
    ctx.body = calls;
    return;
  }
  await next();
  calls.push({
    method: ctx.method,
    path: ctx.path,
    query: { ...ctx.query },
    form: { ...ctx.oidc?.body },
    authorization: ctx.get('authorization'),
    status: ctx.status,
    location: ctx.response.get('location'),
  });
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  if (ctx.method === 'GET') {
    ctx.type = 'html';
    ctx.body = `<!doctype html>
      <title>Sign in at the provider</title>
      <form method="post">
        <label>Who are you? <input name="login" autofocus></label>
        <button>Sign in</button>
      </form>`;
    return;
  }
  let body = '';
  for await (const chunk of ctx.req) body += chunk;
  const accountId = new URLSearchParams(body).get('login');
  const result = PEOPLE[accountId] ? { login: { accountId }, select_account: {} } : { error: 'access_denied' };
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: false }));
});

server.on('request', provider.callback());
process.stdin.on('end', () => process.exit()).resume();
console.log(JSON.stringify({ listening: server.address().port }));
