//! The command line as scripts meet it: what each command says, to which output, with which status.

use std::{io::pipe, os::fd::OwnedFd, process::Stdio};

use serde_json::Value;
use tokio::{net::TcpListener, process::Command};

use crate::{
    demo::provider::{Provider, mischief::Answer as Lie, reply::Reply},
    harness::{Call, Door as _, Said, Stage, patiently},
};

/// All there is to say, as one file.
const FILE: &str = r#"
[store]
url = "memory:"

[server]
ops_listen = "127.0.0.1:0"
listen = ["127.0.0.1:0"]

[[provider]]
id = "company"
issuer = "https://id.example.com"
client_id = "wiki"
client_secret = "s3cr3t"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:8080"

[app.access]
policy = "anyone"
"#;

async fn say(arguments: &[&str]) -> Said {
    Call { arguments, ..Call::default() }.end().await
}

async fn say_with(arguments: &[&str], file: &str) -> Said {
    Call { arguments, files: &[("vestibule.toml", file)], ..Call::default() }.end().await
}

#[tokio::test]
async fn every_way_to_end_has_its_status_and_its_output() {
    let faulty = FILE.replace("[store]", "[stoer]");
    let unready = FILE.replace("127.0.0.1:0", "127.0.0.1:1");
    let off = FILE.replace("ops_listen = \"127.0.0.1:0\"", "ops_listen = \"\"");
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let taken = taken.local_addr().expect("it is bound").to_string();
    // Arguments, file, status, what standard output begins with, what standard error begins with.
    for (arguments, file, status, stdout, stderr) in [
        ("--version", "", 0, "vestibule 0.1.0\ncommit:", ""),
        ("-V", "", 0, "vestibule 0.1.0\n", ""),
        ("--help", "", 0, "An authenticating reverse proxy", ""),
        ("", "", 2, "", "An authenticating reverse proxy"),
        ("server", "", 2, "", "error: unrecognized subcommand 'server'"),
        ("serve --lisen 127.0.0.1:0", FILE, 2, "", "error: unexpected argument '--lisen' found"),
        ("serve --client-secret s3cr3t", FILE, 2, "", "error: unexpected argument '--client-secret' found"),
        (
            "serve --issuer a --issuer b",
            FILE,
            2,
            "",
            "error: the argument '--issuer <URL>' cannot be used multiple times",
        ),
        ("serve", "", 78, "", "error: no configuration file is given, and no flags that would do without one\n"),
        ("serve --config nowhere.toml", FILE, 78, "", "error: cannot read the configuration `nowhere.toml`"),
        ("serve", &faulty, 78, "", "error: unknown key `stoer` at the top level\n --> vestibule.toml:2:2\n"),
        ("check", &faulty, 78, "", "error: unknown key `stoer` at the top level\n --> vestibule.toml:2:2\n"),
        ("check --json", &faulty, 78, "{\n", ""),
        ("check", FILE, 0, "The configuration is valid.\n", ""),
        ("check --json", FILE, 0, "{\n", ""),
        ("check", &FILE.replace("\nurl = ", "\n# url = "), 0, "The configuration is valid.\n", "warning: "),
        ("check --ops-listen localhost:1", FILE, 78, "", "error: `ops_listen` must be an IP address"),
        ("health", "", 1, "", "error: 127.0.0.1:4181 cannot be reached: "),
        ("health", FILE, 1, "", "error: `ops_listen` has port 0, which is any: name the real one with --address\n"),
        ("health", &unready, 1, "", "error: 127.0.0.1:1 cannot be reached: "),
        ("health", &off, 1, "", "error: `ops_listen` is off, and that is what is asked"),
        ("health --config nowhere.toml", "", 1, "", "error: cannot read the configuration `nowhere.toml`"),
        ("health --address nowhere", "", 2, "", "error: invalid value 'nowhere' for '--address <ADDRESS>'"),
        ("completions", "", 2, "", "error: the following required arguments were not provided"),
        ("completions csh", "", 2, "", "error: invalid value 'csh' for '<SHELL>'"),
        ("man nothing", "", 2, "", "error: there is no command `nothing`\n"),
    ] {
        let files: &[_] = if file.is_empty() { &[] } else { &[("vestibule.toml", file)] };
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        let said = Call { arguments: &arguments, files, ..Call::default() }.end().await;
        assert_eq!(said.status, Some(status), "{arguments:?}: {said:?}");
        for (said, expected) in [(&said.stdout, stdout), (&said.stderr, stderr)] {
            assert!(said.starts_with(expected), "{arguments:?}: {said}");
            assert!(!expected.is_empty() || said.is_empty(), "{arguments:?} says {said}");
            assert!(!said.contains("s3cr3t"), "{arguments:?}: {said}");
            assert!(!said.contains('\x1b'), "{arguments:?}: nothing is coloured that no terminal shows");
        }
    }
    // A start that fails is an event like any other: its line goes where all lines go.
    let said = say_with(&["serve", "--listen", &taken], FILE).await;
    assert_eq!((said.status, said.stderr.as_str()), (Some(1), ""), "{said:?}");
    let last: Value = serde_json::from_str(said.stdout.lines().last().unwrap_or_default()).expect("a line in JSON");
    assert!(last["error"].as_str().is_some_and(|error| error.contains(&taken)), "{last}");
}

#[tokio::test]
async fn the_help_of_each_command_is_reviewed() {
    for command in ["", "serve", "check", "explain", "health", "schema", "completions", "man"] {
        let arguments: Vec<_> = [command, "--help"].into_iter().filter(|argument| !argument.is_empty()).collect();
        let said = say(&arguments).await;
        assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""), "{command}");
        let name = if command.is_empty() { "vestibule" } else { command };
        insta::assert_snapshot!(format!("help_of_{name}"), said.stdout);
    }
}

#[tokio::test]
async fn the_schema_is_the_one_that_is_published() {
    let said = say(&["schema"]).await;
    let published = std::fs::read_to_string("config/vestibule.schema.json").expect("it is published");
    assert!(said.stdout == published && said.status == Some(0), "{said:?}");
}

#[tokio::test]
async fn a_version_says_which_build_it_is() {
    let said = say(&["--version"]).await;
    let facts: Vec<_> = said.stdout.lines().skip(1).filter_map(|line| line.split_once(':')).collect();
    let names: Vec<_> = facts.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["commit", "target", "rustc", "profile", "TLS"]);
    assert!(facts.iter().all(|(_, fact)| !fact.trim().is_empty()), "{facts:?}");
}

/// A file that uses what there is to be told of.
const RICH: &str = r#"
[server]
listen = ["0.0.0.0:4180", "unix:/run/vestibule.sock"]
trusted_proxies = ["unix"]
ops_listen = ""

[store]
url = "memory:"

[[provider]]
id = "company"
issuer = "https://id.example.com"
client_id = "vestibule"
client_secret = "s3cr3t"

[[provider]]
id = "partners"
issuer = "https://login.partner.example/"
client_id = "example-wiki"
trust_email = "always"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
hosts = ["handbook.example.com"]
upstream = "http://127.0.0.1:8080"
providers = ["company", "partners"]

[app.access]
policy = "listed"
allow = [
  { email_domain = "example.com", provider = "company" },
  { email_domain = "*.example.org" },
  { email = "guest@elsewhere.example", ip = "10.0.0.0/8" },
  { group = "wiki guests", provider = "partners" },
  { claim = "hd", is = "example.com", provider = "company" },
]
deny = [{ email = "former.employee@example.com" }]

[[app.route]]
path = "/public/**"
access = "public"

[[app]]
id = "metrics"
public_url = "https://metrics.example.com:8443"
upstream = "unix:/run/metrics.sock"
providers = ["company"]
access.policy = "anyone"
"#;

#[tokio::test]
async fn check_tells_on_one_screen_what_a_configuration_means() {
    let said = say_with(&["check"], RICH).await;
    assert_eq!(said.status, Some(0), "{said:?}");
    insta::assert_snapshot!(said.stderr, @r#"
    warning: vestibule.toml:20: `trust_email` is "always": whoever can set an address at this provider can be anybody to the rules
    "#);
    insta::assert_snapshot!(said.stdout, @r#"
    The configuration is valid.

    Visitors come in at   0.0.0.0:4180 (plain HTTP)
                          unix:/run/vestibule.sock (plain HTTP)
    Health and metrics    off
    Sessions              in memory; 8h without use, 1d at all

    Provider company      https://id.example.com
      knows us as         vestibule, with a secret (client_secret_basic)
      redirect URIs       https://wiki.example.com/_vestibule/callback
                          https://metrics.example.com:8443/_vestibule/callback
      after sign-out      https://wiki.example.com/_vestibule/signed_out
                          https://metrics.example.com:8443/_vestibule/signed_out

    Provider partners     https://login.partner.example/
      knows us as         example-wiki, a public client, without a secret
      redirect URIs       https://wiki.example.com/_vestibule/callback
      after sign-out      https://wiki.example.com/_vestibule/signed_out

    App wiki              https://wiki.example.com
      also at             handbook.example.com
      in front of         http://127.0.0.1:8080
      signs in through    company, partners
      may enter           verified addresses at example.com, by company
                          addresses below example.org
                          guest@elsewhere.example, from 10.0.0.0/8
                          group "wiki guests", by partners
                          claim hd is "example.com", by company
      never               former.employee@example.com
      routes              1, 1 public

    App metrics           https://metrics.example.com:8443
      in front of         unix:/run/metrics.sock
      signs in through    company
      may enter           whoever signs in through company
    "#);
    let height = said.stdout.lines().count();
    assert!(height <= 40, "{height} lines are more than a screen");
    assert!(!said.stdout.contains("s3cr3t"));

    let said = say_with(&["check", "--json"], RICH).await;
    let told: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!((&told["valid"], told["warnings"].as_array().map(Vec::len)), (&Value::Bool(true), Some(1)));
    let registered = &told["summary"]["providers"][0]["redirect_uris"];
    let expected =
        ["https://wiki.example.com/_vestibule/callback", "https://metrics.example.com:8443/_vestibule/callback"];
    assert_eq!(*registered, Value::from(expected.to_vec()));
    let said = say_with(&["check", "--json"], &RICH.replace("upstream =", "upstraem =")).await;
    let told: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(told["valid"], false);
    assert_eq!(told["faults"][0]["at"], "vestibule.toml:26", "{told}");
}

#[tokio::test]
async fn nobody_has_to_hear_a_command_to_the_end() {
    // Whoever was to read has gone before the first word.
    let deaf = || OwnedFd::from(pipe().expect("a pipe").1);
    for (arguments, file, status) in [
        (["completions", "bash"].as_slice(), FILE, 0),
        (&["man"], FILE, 0),
        (&["check"], FILE, 0),
        (&["check", "--json"], FILE, 0),
        (&["--help"], FILE, 0),
        (&["check"], "[stoer]", 78),
        (&["serve"], "[stoer]", 78),
        (&["health", "--address", "127.0.0.1:1"], FILE, 1),
        (&["nonsense"], FILE, 2),
    ] {
        let files = [("vestibule.toml", file)];
        let said = Call { arguments, files: &files, stdout: Some(deaf()), ..Call::default() }.end().await;
        assert_eq!(said.status, Some(status), "{arguments:?}: {said:?}");
        assert!(!said.stderr.contains("panicked"), "{arguments:?}: {said:?}");
        let said = Call { arguments, files: &files, stderr: Some(deaf()), ..Call::default() }.end().await;
        assert_eq!(said.status, Some(status), "{arguments:?}: {said:?}");
    }
}

#[tokio::test]
async fn faults_are_coloured_on_a_terminal_unless_somebody_minds() {
    for (variables, is_coloured) in [("TERM=xterm", true), ("TERM=xterm NO_COLOR=1", false), ("TERM=dumb", false)] {
        // script(1) is a terminal to what it runs.
        let line = format!("{variables} {} check --public-url x", env!("CARGO_BIN_EXE_vestibule"));
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).env_remove("NO_COLOR").stdin(Stdio::null());
        let output = patiently("the terminal", script.output()).await.expect("script is everywhere");
        assert_eq!(output.status.code(), Some(78), "{variables}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("must be a URL"), "{text}");
        assert_eq!(text.contains('\x1b'), is_coloured, "{variables}: {text:?}");
    }
}

#[tokio::test]
async fn a_shell_completes_commands_and_flags() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = say(&["completions", shell]).await.stdout;
        assert!(script.contains("allow-email-domain") && script.contains("health"), "{shell}: {script}");
    }
    let script = say(&["completions", "bash"]).await.stdout;
    for (words, expected) in [("he", "health"), ("serve --allow-email-", "--allow-email-domain")] {
        let asked = format!(
            "{script}\nCOMP_WORDS=(vestibule {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _vestibule vestibule \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; echo \"${{COMPREPLY[*]}}\""
        );
        let output = patiently("bash", Command::new("bash").args(["-c", &asked]).output()).await.expect("bash runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{output:?}");
    }
}

#[tokio::test]
async fn the_manual_has_a_page_of_the_whole_and_one_of_each_command() {
    let page = say(&["man"]).await.stdout;
    for part in [
        ".TH vestibule 1",
        ".SH DESCRIPTION",
        "vestibule\\-serve(1)",
        ".SH ENVIRONMENT",
        ".SH FILES",
        ".SH \"EXIT STATUS\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.is_ascii(), "what troff takes as it is");
    let page = say(&["man", "serve"]).await.stdout;
    assert!(page.is_ascii(), "{page}");
    assert!(page.contains("\\-\\-public\\-url") && page.contains("VESTIBULE_PUBLIC_URL"), "{page}");
}

#[tokio::test]
async fn health_asks_what_an_orchestrator_asks() {
    let no_metadata = |provider: &Provider| {
        provider.lie(|answer| {
            if let Lie::Reply(_, reply) = answer {
                *reply = Reply::Silence;
            }
        });
    };
    let unready = Stage::builder().start_with(no_metadata).await;
    let ready = Stage::builder().start().await;
    // Accepts connections, and says nothing to anybody.
    let hung = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let hung = hung.local_addr().expect("it is bound");
    for (arguments, address, status, expected) in [
        (["health"].as_slice(), ready.door.ops(), 0, "live\n"),
        (&["health", "--ready"], ready.door.ops(), 0, "ready\n"),
        (&["health"], unready.door.ops(), 0, "live\n"),
        (
            &["health", "--ready"],
            unready.door.ops(),
            1,
            "error: not ready: draining: no, provider company: metadata not fetched yet, sessions: readable\n",
        ),
        // An address of something else: the recording upstream answers everything with its own words.
        (&["health", "--ready"], ready.upstream.address(), 1, "does not answer as Vestibule does"),
        (&["health"], ready.upstream.address(), 1, "does not answer as Vestibule does"),
        (&["health"], hung, 1, "within 900ms\n"),
    ] {
        let address = address.to_string();
        let by_flag = [arguments, &["--address", &address]].concat();
        let said = Call { arguments: &by_flag, ..Call::default() }.end().await;
        assert_eq!(said.status, Some(status), "{arguments:?}: {said:?}");
        assert!(format!("{}{}", said.stdout, said.stderr).contains(expected), "{arguments:?}: {said:?}");
        assert_ne!(said.stdout.is_empty(), said.stderr.is_empty(), "{said:?}");
    }
    let ops = ready.door.ops().to_string();
    let variables = [("VESTIBULE_OPS_LISTEN", ops.as_str())];
    let said = Call { arguments: &["health", "--ready"], variables: &variables, ..Call::default() }.end().await;
    assert_eq!(said.status, Some(0), "{said:?}");
}

#[tokio::test]
async fn health_needs_no_more_of_a_configuration_than_where_to_ask() {
    let stage = Stage::builder().start().await;
    let ops = stage.door.ops();
    // Its secrets cannot be read, a key is unknown, nothing else is there; and once the address is for every interface.
    for (text, status) in [
        (format!("server.ops_listen = \"{ops}\"\nlisen = 1\n[[provider]]\nclient_secret = \"${{NOT_SET}}\""), 0),
        (format!("server.ops_listen = \"0.0.0.0:{}\"", ops.port()), 0),
        (format!("server.ops_listen = \"${{OPS:-{ops}}}\""), 0),
        (format!("server.ops_listen = \"{ops}\"\n[[provider"), 1),
        ("server.ops_listen = \"${NOT_SET}\"".to_owned(), 1),
    ] {
        let said = say_with(&["health"], &text).await;
        assert_eq!(said.status, Some(status), "{text}: {said:?}");
    }
}
