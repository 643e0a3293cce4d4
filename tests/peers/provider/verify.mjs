// Says what `jose` makes of a JWT: node verify.mjs JWT KEYS_URL ISSUER AUDIENCE
// `jose` is here because oidc-provider uses it.

import { createRemoteJWKSet, jwtVerify } from 'jose'

const [jwt, keys, issuer, audience] = process.argv.slice(2)
try {
  const { payload } = await jwtVerify(jwt, createRemoteJWKSet(new URL(keys)), {
    issuer, audience, algorithms: ['ES256'], requiredClaims: ['sub', 'iat', 'exp'],
  })
  console.log(JSON.stringify({ claims: payload }))
} catch (error) {
  console.log(JSON.stringify({ refused: error.code ?? String(error) }))
}
