//! `[[provider]]`

use super::{provider, whole};

#[test]
fn faults_of_names_of_providers() {
    insta::assert_snapshot!(provider(r#"
id = "The Company"
"#), @r#"
    error: `id` must be 1 to 64 characters of a-z, 0-9 and -
     --> vestibule.toml:2:6
      |
    2 | id = "The Company"
      |      ^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
id = ""
"#), @r#"
    error: `id` is empty
     --> vestibule.toml:2:6
      |
    2 | id = ""
      |      ^^
      |
      = help: write, for example: id = "company"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
preset = "entra"
"#), @r#"
    error: `preset` = "entra" is not in this version
     --> vestibule.toml:2:10
      |
    2 | preset = "entra"
      |          ^^^^^^^
      |
      = help: write "generic"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
preset = "other"
"#), @r#"
    error: `preset` must be "generic"
     --> vestibule.toml:2:10
      |
    2 | preset = "other"
      |          ^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
display_name = " "
"#), @r#"
    error: `display_name` must be one line of text
     --> vestibule.toml:2:16
      |
    2 | display_name = " "
      |                ^^^

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_where_a_provider_is() {
    insta::assert_snapshot!(provider(r#"
issuer = "id.example.com"
"#), @r#"
    error: `issuer` must be a URL that starts with https:// or http://
     --> vestibule.toml:2:10
      |
    2 | issuer = "id.example.com"
      |          ^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
issuer = "http://id.example.com"
"#), @r#"
    error: `issuer` must start with https://
     --> vestibule.toml:2:10
      |
    2 | issuer = "http://id.example.com"
      |          ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: the keys of the provider come from there: whoever can change the traffic can sign in as anybody
      = help: loopback hosts may use http; elsewhere only with insecure_http = true beside it

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
issuer = "https://id.example.com?x"
"#), @r#"
    error: `issuer` must have no query and no fragment
     --> vestibule.toml:2:10
      |
    2 | issuer = "https://id.example.com?x"
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
discovery_url = "http://id.example.com"
"#), @r#"
    error: `discovery_url` must start with https://
     --> vestibule.toml:2:17
      |
    2 | discovery_url = "http://id.example.com"
      |                 ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: the keys of the provider come from there: whoever can change the traffic can sign in as anybody
      = help: loopback hosts may use http; elsewhere only with insecure_http = true beside it

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
ca_file = "no-such-file"
"#), @r#"
    error: cannot read the file of `ca_file`: there is no such file
     --> vestibule.toml:2:11
      |
    2 | ca_file = "no-such-file"
      |           ^^^^^^^^^^^^^^ read as `no-such-file`

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_how_we_are_registered_at_a_provider() {
    insta::assert_snapshot!(whole(r#"
[[provider]]
id = "a"
issuer = "https://id.example.com"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"
access = { policy = "anyone" }
"#), @r#"
    error: `client_id` is missing in `[[provider]]`
     --> vestibule.toml:1:1
      |
    1 | [[provider]]
      | ^^^^^^^^^^^^
      |
      = help: write, for example: client_id = "wiki"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_id = "CHANGE-ME"
"#), @r#"
    error: `client_id` still is a placeholder
     --> vestibule.toml:2:13
      |
    2 | client_id = "CHANGE-ME"
      |             ^^^^^^^^^^^
      |
      = help: the provider gives it where the client is registered

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_id = ""
"#), @r#"
    error: `client_id` is empty
     --> vestibule.toml:2:13
      |
    2 | client_id = ""
      |             ^^
      |
      = help: write, for example: client_id = "wiki"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(
        r#"
client_id = "wiki "
"#
    ), @r#"
    error: `client_id` must be one line without spaces around it
     --> vestibule.toml:2:13
      |
    2 | client_id = "wiki "
      |             ^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(
        r#"
client_secret_file = """
s3cr3t
"""
"#
    ), @r#"
    error: `client_secret_file` must be the path of a file
     --> vestibule.toml:2:22
      |
    2 |   client_secret_file = ***
      |  ______________________^
    3 | | ******
    4 | | """
      | |___^
      |
      = help: the file's content does not belong here

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_secret = "<secret>"
"#), @r"
    error: `client_secret` still is a placeholder
     --> vestibule.toml:2:17
      |
    2 | client_secret = **********
      |                 ^^^^^^^^^^
      |
      = help: the provider gives it where the client is registered

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(provider(r#"
client_secret = ""
"#), @r"
    error: `client_secret` is empty
     --> vestibule.toml:2:17
      |
    2 | client_secret = **
      |                 ^^

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(provider(r#"
client_secret_file = "no-such-file"
"#), @r#"
    error: cannot read the file of `client_secret_file`: there is no such file
     --> vestibule.toml:2:22
      |
    2 | client_secret_file = "no-such-file"
      |                      ^^^^^^^^^^^^^^ read as `no-such-file`

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_auth = "client_secret_post"
"#), @r#"
    error: `client_auth` needs a secret, and there is none
     --> vestibule.toml:2:15
      |
    2 | client_auth = "client_secret_post"
      |               ^^^^^^^^^^^^^^^^^^^^
      |
      = help: add client_secret_file, or write client_auth = "none" for a public client

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_auth = "none"
client_secret = "x"
"#), @r#"
    error: `client_auth` is "none", and there is a secret
     --> vestibule.toml:2:15
      |
    2 | client_auth = "none"
      |               ^^^^^^
      |
      = note: a secret that is never used is either forgotten or meant to be used
      = help: remove the secret, or client_auth

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_secret_next = "x"
"#), @r#"
    error: `client_secret_next` comes after `client_secret`, and there is none
     --> vestibule.toml:2:22
      |
    2 | client_secret_next = ***
      |                      ^^^
      |
      = help: call it client_secret, or client_secret_file

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_auth = "private_key_jwt"
"#), @r#"
    error: `client_auth` = "private_key_jwt" is not in this version
     --> vestibule.toml:2:15
      |
    2 | client_auth = "private_key_jwt"
      |               ^^^^^^^^^^^^^^^^^
      |
      = help: write "client_secret_basic" or "client_secret_post" or "none"

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_what_is_asked_of_a_provider_and_believed() {
    insta::assert_snapshot!(provider(r#"
scopes = ["profile", "openid email"]
"#), @r#"
    error: `scopes` must hold one scope in each string, without spaces and quotes
     --> vestibule.toml:2:22
      |
    2 | scopes = ["profile", "openid email"]
      |                      ^^^^^^^^^^^^^^
      |
      = help: write, for example, ["openid", "profile", "email"]

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
scopes = ["profile"]
"#), @r#"
    error: `scopes` must contain "openid"
     --> vestibule.toml:2:10
      |
    2 | scopes = ["profile"]
      |          ^^^^^^^^^^^
      |
      = note: without it the provider answers plain OAuth, which says nothing about who signed in

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
prompt = "none"
"#), @r#"
    error: `prompt` must not contain "none"
     --> vestibule.toml:2:10
      |
    2 | prompt = "none"
      |          ^^^^^^
      |
      = note: whoever is not signed in at the provider already could never sign in
      = help: remove the key: then the provider asks only what it has to

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
prompt = "login, consent"
"#), @r#"
    error: `prompt` must be words with one space between them
     --> vestibule.toml:2:10
      |
    2 | prompt = "login, consent"
      |          ^^^^^^^^^^^^^^^^
      |
      = help: for example, "login" or "select_account"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
max_age = "1h30m"
acr_values = ["gold silver"]
ui_locales = ["de_CH"]
"#), @r#"
    error: `max_age` must be a time: a number with ms, s, m, h or d
     --> vestibule.toml:2:11
      |
    2 | max_age = "1h30m"
      |           ^^^^^^^
      |
      = help: write, for example, "30s" or "5m"

    error: `acr_values` must hold one value in each string, without spaces
     --> vestibule.toml:3:15
      |
    3 | acr_values = ["gold silver"]
      |               ^^^^^^^^^^^^^

    error: `ui_locales` must hold one language in each string
     --> vestibule.toml:4:15
      |
    4 | ui_locales = ["de_CH"]
      |               ^^^^^^^
      |
      = help: for example, ["de-CH", "fr"]

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(provider("
max_age = 0
"), @"
    error: `max_age` must be from 1s to 3650d
     --> vestibule.toml:2:11
      |
    2 | max_age = 0
      |           ^

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(provider(r#"
resource = ["api", "https://api.example.com/#a"]
"#), @r#"
    error: `resource` must hold one absolute URI in each string, without #
     --> vestibule.toml:2:13
      |
    2 | resource = ["api", "https://api.example.com/#a"]
      |             ^^^^^
      |
      = help: for example, ["https://api.example.com"]

    error: `resource` must hold one absolute URI in each string, without #
     --> vestibule.toml:2:20
      |
    2 | resource = ["api", "https://api.example.com/#a"]
      |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: for example, ["https://api.example.com"]

    the configuration has 2 faults
    "#);
    insta::assert_snapshot!(provider(r#"
extra_params = { state = "x", prompt = "login", "Request_URI" = "x", "a b" = "1", audience = "wiki\nmore", tenant = 5 }
"#), @r#"
    error: `state` of `extra_params` is said by the sign-in itself
     --> vestibule.toml:2:18
      |
    2 | extra_params = { state = "x", prompt = "login", "Request_URI" = "x", "a b" = "1", audience = "wiki\nmore", tenant = 5 }
      |                  ^^^^^
      |
      = note: a second one would be checked by nobody, and which of the two the provider takes is its secret
      = help: remove it

    error: `prompt` of `extra_params` has a key of its own
     --> vestibule.toml:2:31
      |
    2 | extra_params = { state = "x", prompt = "login", "Request_URI" = "x", "a b" = "1", audience = "wiki\nmore", tenant = 5 }
      |                               ^^^^^^
      |
      = help: write it as `prompt` in [[provider]]

    error: `Request_URI` of `extra_params` is said by the sign-in itself
     --> vestibule.toml:2:49
      |
    2 | extra_params = { state = "x", prompt = "login", "Request_URI" = "x", "a b" = "1", audience = "wiki\nmore", tenant = 5 }
      |                                                 ^^^^^^^^^^^^^
      |
      = note: a second one would be checked by nobody, and which of the two the provider takes is its secret
      = help: remove it

    error: `a b` of `extra_params` must be the name of a parameter: letters, digits, `_`, `-`, `.` and `:`
     --> vestibule.toml:2:70
      |
    2 | extra_params = { state = "x", prompt = "login", "Request_URI" = "x", "a b" = "1", audience = "wiki\nmore", tenant = 5 }
      |                                                                      ^^^^^

    error: `audience` must be one line of text
     --> vestibule.toml:2:94
      |
    2 | extra_params = { state = "x", prompt = "login", "Request_URI" = "x", "a b" = "1", audience = "wiki\nmore", tenant = 5 }
      |                                                                                              ^^^^^^^^^^^^

    error: `tenant` must be a string, not a number
     --> vestibule.toml:2:117
      |
    2 | extra_params = { state = "x", prompt = "login", "Request_URI" = "x", "a b" = "1", audience = "wiki\nmore", tenant = 5 }
      |                                                                                                                     ^

    the configuration has 6 faults
    "#);
    insta::assert_snapshot!(provider(r#"
extra_params = "audience=wiki"
"#), @r#"
    error: `extra_params` must be a table of strings, not a string
     --> vestibule.toml:2:16
      |
    2 | extra_params = "audience=wiki"
      |                ^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
scopes = ["openid", "openid"]
"#), @r#"
    error: the scope `openid` is given twice
     --> vestibule.toml:2:21
      |
    2 | scopes = ["openid", "openid"]
      |           --------  ^^^^^^^^
      |           |
      |           it is given here as well

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
id_token_signed_response_alg = "none"
"#), @r#"
    error: `id_token_signed_response_alg` must not be "none"
     --> vestibule.toml:2:32
      |
    2 | id_token_signed_response_alg = "none"
      |                                ^^^^^^
      |
      = note: an ID token without a signature is whatever somebody writes into it
      = help: remove the key: RS256 is what every provider has

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
id_token_signed_response_alg = "HS256"
"#), @r#"
    error: HS256 is keyed by the client secret, and there is none
     --> vestibule.toml:2:32
      |
    2 | id_token_signed_response_alg = "HS256"
      |                                ^^^^^^^
      |
      = note: anybody could sign with an empty key
      = help: add client_secret_file, or choose an algorithm with a public key

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
id_token_signed_response_alg = "rs256"
"#), @r#"
    error: `id_token_signed_response_alg` must be a signature algorithm
     --> vestibule.toml:2:32
      |
    2 | id_token_signed_response_alg = "rs256"
      |                                ^^^^^^^
      |
      = help: one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
claims = { groups = "realm..roles" }
"#), @r#"
    error: `groups` must be the name of a claim, or names joined by dots
     --> vestibule.toml:2:21
      |
    2 | claims = { groups = "realm..roles" }
      |                     ^^^^^^^^^^^^^^
      |
      = help: for example, "realm_access.roles"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
trust_email = "yes"
"#), @r#"
    error: `trust_email` must be "verified" or "always" or "never"
     --> vestibule.toml:2:15
      |
    2 | trust_email = "yes"
      |               ^^^^^

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_endpoints_and_their_schemes() {
    insta::assert_snapshot!(provider(r#"
token_endpoint = "http://id.example.com/token#x"
"#), @r#"
    error: `token_endpoint` must have no fragment
     --> vestibule.toml:2:18
      |
    2 | token_endpoint = "http://id.example.com/token#x"
      |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
jwks_uri = "http://id.example.com/keys"
"#), @r#"
    error: `jwks_uri` must start with https://
     --> vestibule.toml:2:12
      |
    2 | jwks_uri = "http://id.example.com/keys"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: the keys of the provider come from there: whoever can change the traffic can sign in as anybody
      = help: loopback hosts may use http; elsewhere only with insecure_http = true beside it

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
proxy = "http://user:s3cret@proxy.example:3128/way"
"#), @r#"
    error: `proxy` must be the URL of a proxy, without a path
     --> vestibule.toml:2:9
      |
    2 | proxy = "http://***********@proxy.example:3128/way"
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write, for example, "http://proxy.example:3128"

    the configuration has 1 fault
    "#);
}
