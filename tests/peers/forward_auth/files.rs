//! The files of `deploy/forward-auth` name the same headers as the answers of `/auth` have: one that
//! is missing in a list would be the visitor's to set.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::sample;
use crate::{curl::curl, deployment::Plan};

/// Names in lower case.
type Names = BTreeSet<String>;

/// Every identity header, as the code has them.
async fn answered() -> Names {
    let plan = Plan::usual().server("trusted_proxies = [\"127.0.0.1/32\"]").upstream("").public();
    let deployment = plan.start().await;
    let url = deployment.url("/page");
    let answer = curl(&[
        "--header",
        "X-Original-Method: GET",
        "--header",
        &format!("X-Original-URL: {url}"),
        &deployment.url("/_vestibule/auth"),
    ])
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let names =
        answer.heads.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_lowercase());
    let names: Names = names.filter(|name| !["cache-control", "content-length", "date"].contains(&&**name)).collect();
    assert!(names.contains("x-forwarded-user"), "{answer:?}");
    names
}

/// What follows each of these words in a text, up to the next space or `;`.
fn after(text: &str, words: &str) -> Names {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '-']));
    let named =
        lines.filter_map(|line| line.split_once(words)).filter_map(|(_, rest)| rest.split([' ', ';', '"']).next());
    named.map(str::to_lowercase).collect()
}

/// A YAML file as another reader sees it.
fn yaml(name: &str) -> Value {
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    python.stdin.take().expect("it is piped").write_all(sample(name, &[]).as_bytes()).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{name} is no YAML, or python3-yaml is missing");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The texts of a list.
fn texts(list: &Value, key: &str) -> Names {
    let items = list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter();
    items
        .filter_map(|item| if key.is_empty() { item.as_str() } else { item[key].as_str() })
        .map(str::to_lowercase)
        .collect()
}

/// One filter of Envoy's.
fn filter<'y>(envoy: &'y Value, name: &str) -> &'y Value {
    let manager = &envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let mut filters = manager["http_filters"].as_array().expect("filters").iter();
    filters.find(|filter| filter["name"] == name).map(|filter| &filter["typed_config"]).expect(name)
}

#[tokio::test]
async fn each_file_copies_and_clears_what_the_answer_has() {
    let names = answered().await;
    // By their whole names, where a proxy has no patterns.
    let cleared_by_name: Names = super::NOT_THE_VISITORS.map(str::to_owned).into();
    assert!(names.is_subset(&cleared_by_name));
    let except = |own: &[&str]| -> Names {
        cleared_by_name.iter().filter(|name| !own.contains(&name.as_str())).cloned().collect()
    };

    let nginx = sample("nginx.conf", &[]);
    let copied: Names = after(&nginx, "$upstream_http_").iter().map(|name| name.replace('_', "-")).collect();
    assert_eq!(copied, names, "nginx.conf");
    assert!(names.is_subset(&after(&nginx, "proxy_set_header ")), "nginx.conf");
    let included = nginx.matches("include /etc/nginx/nginx-headers.conf;").count();
    assert_eq!(included, nginx.matches("proxy_pass ").count(), "nginx.conf");
    let set = after(&sample("nginx-headers.conf", &[]), "proxy_set_header ");
    assert!(cleared_by_name.is_subset(&set), "nginx-headers.conf: {:?}", cleared_by_name.difference(&set));
    for (file, text) in [("nginx.conf", &nginx), ("nginx-headers.conf", &sample("nginx-headers.conf", &[]))] {
        assert!(!text.contains("$http_host"), "{file}: a visitor chooses the app that is judged");
    }

    let caddy = sample("Caddyfile", &[]);
    let copied = caddy.lines().find_map(|line| line.trim().strip_prefix("copy_headers ")).expect("a list");
    assert_eq!(copied.split(' ').map(str::to_lowercase).collect::<Names>(), names, "Caddyfile");

    let lua = sample("vestibule.lua", &[]);
    let list = lua.split_once("IDENTITY = {").and_then(|(_, rest)| rest.split_once('}')).expect("a list").0;
    let copied = list.split('"').filter(|text| text.starts_with(char::is_alphabetic)).map(str::to_owned);
    assert_eq!(copied.collect::<Names>(), names, "vestibule.lua");

    let traefik = yaml("traefik.yml");
    let middlewares = &traefik["http"]["middlewares"];
    let question = &middlewares["ask-vestibule"]["forwardAuth"];
    assert_eq!(texts(&question["authResponseHeaders"], ""), names, "traefik.yml");
    assert_eq!(question["trustForwardHeader"], false, "traefik.yml");
    let claims =
        middlewares["drop-what-visitors-claim"]["headers"]["customRequestHeaders"].as_object().expect("a table");
    let dropped: Names = claims.iter().filter(|(_, value)| *value == "").map(|(name, _)| name.to_lowercase()).collect();
    // What Traefik sets itself, where it does not believe the other side.
    let expected = except(&["x-forwarded-port", "x-forwarded-server", "x-real-ip"]);
    assert_eq!(
        dropped,
        expected.into_iter().chain(names.iter().flat_map(|name| folded(name))).collect(),
        "traefik.yml"
    );

    let envoy = yaml("envoy.yaml");
    let response = &filter(&envoy, "envoy.filters.http.ext_authz")["http_service"]["authorization_response"];
    assert_eq!(texts(&response["allowed_upstream_headers"]["patterns"], "exact"), names, "envoy.yaml");
    let mutations = &filter(&envoy, "envoy.filters.http.header_mutation")["mutations"]["request_mutations"];
    let expected = except(&["x-forwarded-method", "x-forwarded-uri", "x-real-ip"]); // it sets these
    assert_eq!(texts(mutations, "remove"), expected, "envoy.yaml");
}

/// Every spelling of a name in which at least one `-` is a `_`.
fn folded(name: &str) -> Vec<String> {
    let mut spellings = vec![String::new()];
    for char in name.chars() {
        let written: &[char] = if char == '-' { &['-', '_'] } else { &[char] };
        spellings =
            spellings.iter().flat_map(|start| written.iter().map(move |char| format!("{start}{char}"))).collect();
    }
    spellings.retain(|spelling| spelling.contains('_'));
    spellings
}

/// What the two that do not run here must say for the question to be answered, and answered to nobody else.
#[test]
fn traefik_and_envoy_ask_as_the_others_do() {
    let traefik = yaml("traefik.yml");
    let question = &traefik["http"]["middlewares"]["ask-vestibule"]["forwardAuth"];
    assert_eq!(question["address"], "http://127.0.0.1:4180/_vestibule/auth?mode=redirect");
    let routers = &traefik["http"]["routers"];
    assert_eq!(texts(&routers["wiki"]["middlewares"], "").len(), 2);
    assert_eq!(routers["wiki"]["middlewares"][1], "ask-vestibule", "after what the visitor claims has been dropped");
    for (name, router) in routers.as_object().expect("routers") {
        let rule = router["rule"].as_str().expect("a rule");
        assert!(rule.starts_with("Host(`wiki.example.com`)") && !rule.contains("||"), "{name}: {rule}");
        assert_eq!(router["middlewares"][0], "drop-what-visitors-claim", "{name}");
    }
    let claims = &traefik["http"]["middlewares"]["drop-what-visitors-claim"]["headers"]["customRequestHeaders"];
    assert_eq!(claims["X-Forwarded-Host"], "wiki.example.com", "whoever is believed");
    let rule = routers["vestibule"]["rule"].as_str().expect("a rule");
    assert!(rule.ends_with("PathPrefix(`/_vestibule/`) && !Path(`/_vestibule/auth`)"), "{rule}");

    let envoy = yaml("envoy.yaml");
    let authorization = filter(&envoy, "envoy.filters.http.ext_authz");
    assert_eq!(authorization["failure_mode_allow"], false);
    // The first `mode` counts: what follows is the visitor's.
    assert_eq!(authorization["http_service"]["path_prefix"], "/_vestibule/auth?mode=redirect&original=");
    let allowed = &authorization["allowed_headers"]["patterns"];
    let (exact, prefixes) = (texts(allowed, "exact"), texts(allowed, "prefix"));
    for needed in ["cookie", "accept", "origin", "x-requested-with"] {
        assert!(exact.contains(needed), "{needed}");
    }
    assert!(prefixes.contains("sec-") && prefixes.contains("x-forwarded-"), "{prefixes:?}");
    let mutations = filter(&envoy, "envoy.filters.http.header_mutation")["mutations"]["request_mutations"].clone();
    let appended = mutations.as_array().expect("mutations").iter().map(|mutation| &mutation["append"]);
    let appended: Names = appended
        .filter(|append| append["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD")
        .filter_map(|append| append["header"]["key"].as_str().map(str::to_owned))
        .collect();
    let expected = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-method", "x-forwarded-uri", "x-real-ip"];
    assert_eq!(appended, expected.map(str::to_owned).into());
    let manager = &envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    assert_eq!(manager["use_remote_address"], true);
    let filters = manager["http_filters"].as_array().expect("filters");
    let order: Vec<_> = filters.iter().filter_map(|filter| filter["name"].as_str()).collect();
    let expected = ["header_mutation", "ext_authz", "router"].map(|name| format!("envoy.filters.http.{name}"));
    assert_eq!(order, expected);
    let hosts = manager["route_config"]["virtual_hosts"].as_array().expect("hosts");
    assert_eq!(hosts.len(), 1);
    assert_eq!(hosts[0]["domains"], serde_json::json!(["wiki.example.com", "wiki.example.com:*"]));
    let routes = hosts[0]["routes"].as_array().expect("routes");
    assert_eq!(routes[0]["match"]["path"], "/_vestibule/auth");
    assert!(routes[0].get("typed_per_filter_config").is_none(), "a visitor's question is asked about, and refused");
}
