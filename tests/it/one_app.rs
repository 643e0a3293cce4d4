//! One app without a file: flags, variables, and the samples that show them.

use std::fs;

use yaml_rust2::{Yaml, YamlLoader};

use crate::{
    demo::provider::people::{ADA, Person, UMA},
    harness::{
        CLIENT_ID, CLIENT_SECRET, Call, Door as _, Facts, Invocation, Request, Stage, binary::Process, patiently,
    },
    readme,
};

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// `127.0.0.1:PORT` of the public URL.
fn listen<'f>(facts: &Facts<'f>) -> &'f str {
    facts.public_url.split_once("//").expect("a URL").1
}

/// Signs in, and asks the upstream who that was.
async fn enters<D: crate::harness::Door>(stage: &Stage<D>, person: &'static Person) {
    let cookie = stage.sign_in(person).await;
    let answer = stage.send(Request::get("/page").header("Cookie", &cookie)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = stage.upstream.take();
    let emails: Vec<_> = seen.iter().map(|request| request.header("x-forwarded-email")).collect();
    assert_eq!(emails, [Some(person.email)]);
}

#[tokio::test]
async fn the_command_line_of_the_readme_signs_people_in() {
    let command = readme::commands().into_iter().find(|command| command.starts_with("vestibule serve --public-url"));
    let command = command.expect("the README shows how to do without a file");
    let secret = tempfile::NamedTempFile::new().expect("a file");
    fs::write(secret.path(), format!("{CLIENT_SECRET}\n")).expect("it is ours");
    let stage = Stage::builder().start_binary_without_file(|facts| {
        let upstream = format!("http://{}", facts.upstream);
        let secret_file = secret.path().to_str().expect("a path in ASCII");
        let mine = |word: &str| match word {
            "https://wiki.example.com" => facts.public_url.to_owned(),
            "http://127.0.0.1:8080" => upstream.clone(),
            "https://id.example.com" => facts.issuer.to_owned(),
            "wiki" => CLIENT_ID.to_owned(),
            "/etc/vestibule/client-secret" => secret_file.to_owned(),
            word => word.to_owned(),
        };
        let arguments = command.split_whitespace().skip(2).map(mine);
        let here = ["--listen", listen(facts), "--ops-listen", "127.0.0.1:0"].map(str::to_owned);
        Invocation { arguments: arguments.chain(here).collect(), variables: Vec::new() }
    });
    let stage = stage.await;
    enters(&stage, &ADA).await;
    let cookie = stage.sign_in(&UMA).await;
    assert_eq!(
        stage.send(Request::get("/page").header("Cookie", &cookie)).await.status,
        403,
        "nobody has verified her"
    );
    assert!(stage.upstream.take().is_empty());
}

/// The container of the sample for Kubernetes.
fn sample_container() -> Yaml {
    let text = fs::read_to_string("config/kubernetes-sidecar.yaml").expect("the sample");
    let documents = YamlLoader::load_from_str(&text).expect("the sample is YAML");
    let containers = documents[0]["spec"]["template"]["spec"]["containers"].as_vec().expect("a pod has containers");
    containers.iter().find(|container| container["name"].as_str() == Some("vestibule")).expect("the sidecar").clone()
}

fn words(command: &Yaml) -> Vec<&str> {
    command.as_vec().expect("a command").iter().map(|word| word.as_str().expect("a word")).collect()
}

#[tokio::test]
async fn the_sidecar_of_the_kubernetes_sample_runs_from_its_environment_alone() {
    let container = sample_container();
    assert_eq!(words(&container["command"]), ["vestibule", "serve"]);
    let secret = |key: &str| match key {
        "client-secret" => CLIENT_SECRET.to_owned(),
        "keys" => "A".repeat(43),
        key => panic!("the sample does not say how {key} is made"),
    };
    let mut ops = String::new();
    let stage = Stage::builder().start_binary_without_file(|facts| {
        let upstream = format!("http://{}", facts.upstream);
        let variables = container["env"].as_vec().expect("it has an environment").iter().map(|entry| {
            let name = entry["name"].as_str().expect("a name");
            let shown = entry["value"].as_str();
            let value = match (name, shown) {
                // What only this stage can know.
                ("VESTIBULE_PUBLIC_URL", Some("https://wiki.example.com")) => facts.public_url.to_owned(),
                ("VESTIBULE_UPSTREAM", Some("http://127.0.0.1:8080")) => upstream.clone(),
                ("VESTIBULE_ISSUER", Some("https://id.example.com")) => facts.issuer.to_owned(),
                ("VESTIBULE_CLIENT_ID", Some("wiki")) => CLIENT_ID.to_owned(),
                ("VESTIBULE_LISTEN", Some("0.0.0.0:4180")) => listen(facts).to_owned(),
                (_, Some(value)) => value.to_owned(),
                (_, None) => secret(entry["valueFrom"]["secretKeyRef"]["key"].as_str().expect("a secret")),
            };
            (name.to_owned(), value)
        });
        // What a cluster adds for a service that is called `vestibule`.
        let links = owned(&[
            ("VESTIBULE_PORT", "tcp://10.0.0.1:80"),
            ("VESTIBULE_SERVICE_HOST", "10.0.0.1"),
            ("VESTIBULE_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("VESTIBULE_OPS_LISTEN", "127.0.0.1:0"),
        ]);
        Invocation { arguments: Vec::new(), variables: variables.chain(links).collect() }
    });
    let stage = stage.await;
    enters(&stage, &ADA).await;
    assert!(!stage.door.process.output().contains("WARN"), "nothing to complain of: {}", stage.door.process.output());
    ops.push_str(&stage.door.ops().to_string());
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let command = words(&container[probe]["exec"]["command"]);
        assert_eq!(command[0], "vestibule", "{probe}");
        let variables = [("VESTIBULE_OPS_LISTEN", ops.as_str())];
        let said = Call { arguments: &command[1..], variables: &variables, ..Call::default() }.end().await;
        assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""), "{probe}: {said:?}");
    }
}

#[tokio::test]
async fn a_flag_goes_over_a_file() {
    let stage = Stage::builder().access("policy = \"anyone\"").start().await;
    let file = format!(
        "server.listen = [\"192.0.2.1:1\"]\nserver.ops_listen = \"127.0.0.1:0\"\nlog.format = \"human\"\n\
         [[provider]]\nid = \"company\"\nissuer = \"{}\"\nclient_id = \"x\"\n\
         [[app]]\nid = \"wiki\"\npublic_url = \"http://127.0.0.1:1\"\nupstream = \"http://127.0.0.1:8080\"\naccess.policy = \"anyone\"\n",
        stage.provider.issuer()
    );
    let arguments = ["serve", "--config", "x.toml", "--listen", "127.0.0.1:0", "--log-format", "json"];
    let process = Process::run(&arguments, &[("x.toml", &file)]);
    let listening = |event: &serde_json::Value| {
        (event["message"] == "listening").then(|| event["address"].as_str().unwrap_or_default().to_owned())
    };
    let address = patiently("the line of its start", process.event("where it listens", listening)).await;
    assert!(address.starts_with("127.0.0.1:"), "{address}");
}
