//! The ways in: Unix sockets, sockets of systemd, PROXY headers, and how many connections there may be.

use std::{
    fs,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::Path,
};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::{
    demo::provider::people::ADA,
    harness::{
        Binary, Configuration, Door as _, RawClient, Request, Response, Signal, Stage, Surroundings, binary::Process,
        patiently,
    },
};

/// A TCP listener, and a Unix socket at a path.
fn listening(path: &Path, query: &str, more: &str) -> Configuration {
    let path = path.display();
    Stage::builder().public("/**").server(&format!("listen = [\"127.0.0.1:0\", \"unix:{path}{query}\"]\n{more}"))
}

async fn get(client: &mut RawClient, fields: &[(&str, &str)]) -> Response {
    client.exchange(&Request::get("/page").headers(fields).to_host("127.0.0.1")).await
}

#[tokio::test]
async fn a_unix_socket_has_the_mode_that_it_is_given_and_goes_away_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("v.sock");
    for (query, mode) in [("", 0o660), ("?mode=0600", 0o600), ("?mode=0666", 0o666), ("?mode=777", 0o777)] {
        let stage = listening(&path, query, "").start().await;
        let found = fs::metadata(&path).expect("a socket").permissions().mode() & 0o7777;
        assert_eq!(found, mode, "{query}: {found:o}");
        assert_eq!(get(&mut RawClient::connect_unix(&path).await, &[]).await.status, 200);
        assert_eq!(stage.upstream.take().len(), 1);
        drop(stage);
        assert!(!path.exists(), "{query}");
    }
}

#[tokio::test]
async fn a_dead_processs_socket_is_replaced_and_a_living_ones_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("v.sock");
    drop(UnixListener::bind(&path).expect("a socket"));
    let first = listening(&path, "", "").start().await;
    assert_eq!(get(&mut RawClient::connect_unix(&path).await, &[]).await.status, 200);

    let text = format!("listen = [\"unix:{}\"]\nops_listen = \"\"\n", path.display());
    let (status, output) = fails(&text, Surroundings::default()).await;
    assert_eq!(status, Some(1), "{output}");
    assert!(output.contains("v.sock") && output.contains("another process listens there"), "{output}");
    assert_eq!(get(&mut RawClient::connect_unix(&path).await, &[]).await.status, 200, "the first one goes on");

    // Somebody else's file of the same name stays, at the end and at the beginning.
    fs::remove_file(&path).expect("a socket");
    fs::write(&path, "a letter").expect("a file");
    drop(first);
    let (status, output) = fails(&text, Surroundings::default()).await;
    assert_eq!(status, Some(1), "{output}");
    assert!(output.contains("no socket, and it is left alone"), "{output}");
    assert_eq!(fs::read_to_string(&path).expect("a file"), "a letter");
}

/// Starts the program, which must not start.
async fn fails(server: &str, surroundings: Surroundings) -> (Option<i32>, String) {
    let text = format!(
        "[server]\n{server}[[provider]]\nid = \"company\"\nissuer = \"http://127.0.0.2:1\"\nclient_id = \"x\"\n\
         [[app]]\nid = \"wiki\"\npublic_url = \"http://127.0.0.1\"\nupstream = \"http://127.0.0.1:1\"\n\
         [app.access]\npolicy = \"anyone\"\n"
    );
    let arguments = ["serve", "--config", "vestibule.toml"];
    let (status, output) = Process::run_in(surroundings, &arguments, &[("vestibule.toml", &text)]).end().await;
    (status.code(), output)
}

#[tokio::test]
async fn threat_49_a_peer_on_a_unix_socket_is_believed_only_where_unix_is_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("v.sock");
    let lies = [("X-Forwarded-For", "198.51.100.7")];
    for (trusted, client) in [("[]", "0.0.0.0"), ("[\"unix\"]", "198.51.100.7")] {
        let stage = listening(&path, "", &format!("trusted_proxies = {trusted}")).start().await;
        assert_eq!(get(&mut RawClient::connect_unix(&path).await, &lies).await.status, 200);
        let seen = stage.upstream.only();
        let headers = ["x-forwarded-for", "x-real-ip"].map(|name| seen.header(name));
        assert_eq!(headers, [Some(client); 2], "{trusted}");
        let logged = stage.door.access_line("the request", |line| line["client"].as_str().map(str::to_owned)).await;
        assert_eq!(logged, client);
        // Trust in Unix sockets is none in TCP.
        assert_eq!(get(&mut stage.connect().await, &lies).await.status, 200);
        assert_eq!(stage.upstream.only().header("x-forwarded-for"), Some("127.0.0.1"), "{trusted}");
    }
}

/// A listening TCP socket at a port that is only bound so far.
fn listener_at(port: u16) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("a fresh socket takes options");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into()).expect("a port of ours");
    socket.listen(128).expect("a bound socket");
    socket
}

#[tokio::test]
async fn sockets_of_systemd_are_taken_whole_or_by_name_and_stay_when_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    for listen in ["[\"systemd:\"]", "[\"systemd:web\", \"systemd:local\"]"] {
        let path = folder.path().join("v.sock");
        let unix = UnixListener::bind(&path).expect("a socket");
        let mut stage = Stage::builder()
            .public("/**")
            .server(&format!("listen = {listen}"))
            .start_binary_in(|port| {
                let sockets = vec![listener_at(port).into(), unix.try_clone().expect("a descriptor").into()];
                Surroundings::with_sockets(sockets, "web:local")
            })
            .await;
        assert_eq!(stage.send(Request::get("/tcp")).await.status, 200, "{listen}");
        assert_eq!(get(&mut RawClient::connect_unix(&path).await, &[]).await.status, 200, "{listen}");
        assert_eq!(stage.upstream.take().len(), 2);
        stage.door.process.signal(Signal::Terminate).await;
        let (status, output) = stage.door.process.end().await;
        assert_eq!(status.code(), Some(0), "{output}");
        UnixStream::connect(&path).expect("the file and the queue are systemd's");
        fs::remove_file(&path).expect("a socket");
    }
}

#[tokio::test]
async fn what_systemd_does_not_pass_or_what_is_no_listener_is_a_clear_end() {
    let udp = || UdpSocket::bind("127.0.0.1:0").expect("a port").into();
    let tcp = || TcpListener::bind("127.0.0.1:0").expect("a port").into();
    let bound = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
        socket.into()
    };
    let file = || fs::File::open("/dev/null").expect("a file").into();
    for (listen, surroundings, expected) in [
        ("systemd:", Surroundings::default(), "systemd has passed no sockets to this process"),
        ("systemd:web", Surroundings::default(), "systemd has passed no sockets to this process"),
        (
            "systemd:",
            Surroundings::after("export LISTEN_FDS=1 LISTEN_PID=1"),
            "systemd has passed no sockets to this process",
        ),
        (
            "systemd:web",
            Surroundings::with_sockets(vec![tcp(), tcp()], "http:https"),
            "no socket named `web`, only: http, https",
        ),
        (
            "systemd:",
            Surroundings::with_sockets(vec![udp()], "dns"),
            "`dns` from systemd is no listening stream socket",
        ),
        ("systemd:", Surroundings::with_sockets(vec![file()], "f"), "`f` from systemd is no listening stream socket"),
        ("systemd:", Surroundings::with_sockets(vec![bound()], "b"), "it does not listen"),
    ] {
        let (status, output) = fails(&format!("listen = [\"{listen}\"]\nops_listen = \"\"\n"), surroundings).await;
        assert_eq!(status, Some(1), "{output}");
        assert!(output.contains(expected), "{expected}: {output}");
    }
}

#[tokio::test]
async fn systemd_is_told_of_the_beginning_of_reloads_and_of_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let notified = UnixDatagram::bind(&path).expect("a socket");
    let mut stage = Stage::builder()
        .start_binary_in(|_| Surroundings::after(&format!("export NOTIFY_SOCKET={}", path.display())))
        .await;
    notified.set_nonblocking(true).expect("a socket takes options");
    let next = async || {
        let mut buffer = [0; 100];
        patiently("a message", async {
            loop {
                match notified.recv(&mut buffer) {
                    Ok(length) => return String::from_utf8_lossy(&buffer[..length]).into_owned(),
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
        .await
    };
    assert_eq!(next().await, "READY=1\n");
    stage.door.process.signal(Signal::HangUp).await;
    let reloading = next().await;
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").map(str::trim).map(str::parse::<u64>);
    assert!(matches!(since, Some(Ok(_))), "{reloading}");
    assert_eq!(next().await, "READY=1\n");
    stage.door.process.signal(Signal::Terminate).await;
    stage.door.process.end().await;
    assert_eq!(next().await, "STOPPING=1\n");
    assert!(notified.recv(&mut [0]).is_err(), "it has ended, so everything that it has said is there");
}

/// Version 2, as HAProxy writes it: a command, a family, a body.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a body of the tests");
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, family], &length.to_be_bytes(), body].concat()
}

const OF_V4: [u8; 12] = [198, 51, 100, 7, 192, 0, 2, 1, 0, 80, 1, 187];

fn behind_a_load_balancer() -> Configuration {
    Stage::builder().public("/**").server("trusted_proxies = [\"127.0.0.0/9\"]\nproxy_protocol = true")
}

#[tokio::test]
async fn the_client_is_whom_the_proxy_header_names_and_the_request_follows_at_once() {
    let stage = behind_a_load_balancer().start().await;
    let trusted_client = b"PROXY TCP4 127.0.0.9 192.0.2.1 56324 443\r\n".to_vec();
    for (header, lies, client) in [
        (b"PROXY TCP4 198.51.100.7 192.0.2.1 56324 443\r\n".to_vec(), "", "198.51.100.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n".to_vec(), "", "2001:db8::7"),
        (b"PROXY TCP6 ::ffff:198.51.100.7 ::1 56324 443\r\n".to_vec(), "", "198.51.100.7"),
        (v2(0x21, 0x11, &OF_V4), "", "198.51.100.7"),
        (v2(0x21, 0x11, &[&OF_V4[..], &[4, 0, 1, 0]].concat()), "", "198.51.100.7"),
        (v2(0x20, 0, &[]), "", "127.0.0.1"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "", "127.0.0.1"),
        // Threat 49: the word of whoever is behind the load balancer counts as if there were none.
        (v2(0x21, 0x11, &OF_V4), "10.9.8.7", "198.51.100.7"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "10.9.8.7", "127.0.0.1"),
        (trusted_client, "10.9.8.7", "10.9.8.7"),
    ] {
        let mut client_end = stage.connect().await;
        let request = Request::get("/page").header("X-Forwarded-For", lies).to_host(stage.authority());
        client_end.send([header.clone(), request.bytes()].concat()).await;
        assert_eq!(client_end.response().await.expect("an answer").status, 200, "{}", header.escape_ascii());
        let seen = stage.upstream.only();
        assert_eq!(seen.header("x-real-ip"), Some(client), "{}", header.escape_ascii());
        let forwarded_for = seen.header("x-forwarded-for").expect("a list");
        assert!(forwarded_for.starts_with(client), "{forwarded_for}");
        // Only the first request of a connection has a header before it.
        assert_eq!(get(&mut client_end, &[]).await.status, 200);
        assert_eq!(stage.upstream.only().header("x-forwarded-for"), forwarded_for.split(", ").last());
    }
    stage.door.access_line("a client", |line| (line["client"] == "2001:db8::7").then_some(())).await;
}

#[tokio::test]
async fn an_ip_condition_means_the_client_of_the_proxy_header() {
    let access = "policy = \"listed\"\nallow = [{ ip = \"198.51.100.0/24\" }]";
    let stage = Stage::builder()
        .server("trusted_proxies = [\"127.0.0.0/9\"]\nproxy_protocol = true")
        .access(access)
        .start()
        .await;
    let from = |address: &str| format!("PROXY TCP4 {address} 192.0.2.1 1 443\r\n").into_bytes();
    let mut browser = stage.browser(&ADA).behind_a_load_balancer(&stage.public_url, from("198.51.100.7"));
    assert_eq!(browser.open(&stage.url("/page")).await.response.status, 200);
    let mut elsewhere = browser.behind_a_load_balancer(&stage.public_url, from("203.0.113.7"));
    assert_eq!(elsewhere.look_at(&stage.url("/page")).await.status, 403);
    assert_eq!(stage.upstream.take().len(), 1);
}

#[tokio::test]
async fn without_a_header_by_the_letter_and_from_a_trusted_peer_nothing_reaches_the_app() {
    let stage = behind_a_load_balancer().start().await;
    let request = || Request::get("/page").to_host(stage.authority()).bytes();
    for beginning in [
        Vec::new(),
        b"PROXY TCP4 198.51.100.7 192.0.2.1 56324\r\n".to_vec(),
        b"PROXY TCP4 198.51.100.7 192.0.2.1 56324 443\n".to_vec(),
        [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200], b"\r\n"].concat(),
        v2(0x21, 0x12, &OF_V4),
        v2(0x21, 0x11, &OF_V4[..11]),
        v2(0x21, 0x11, &vec![0; 60_000]),
    ] {
        let mut client = stage.connect().await;
        // It may be gone before all of it is written.
        client.wire.write([beginning.clone(), request()].concat()).await.ok();
        assert!(client.until_closed().await.is_empty(), "no word to {}", beginning.escape_ascii());
    }
    // Half of 127.0.0.0/8 is not trusted.
    let mut stranger = RawClient::connect_from([127, 200, 0, 1].into(), stage.door_address()).await;
    stranger.wire.write([v2(0x21, 0x11, &OF_V4), request()].concat()).await.ok();
    assert!(stranger.until_closed().await.is_empty());

    assert_eq!(stage.upstream.take().len(), 0);
    let metrics = stage.metrics().await;
    for (reason, count) in [("proxy_header", 7), ("stranger", 1)] {
        let counted = format!("vestibule_connections_refused_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.contains(&counted), "{counted}: {metrics}");
    }
}

#[tokio::test]
async fn a_proxy_header_that_does_not_come_or_stops_in_the_middle_is_cut_in_the_time_of_a_head() {
    let stage = behind_a_load_balancer().limits("header_timeout = \"200ms\"").start().await;
    for begun in ["", "PROXY TCP4 198.51"] {
        let mut client = stage.connect().await;
        client.send(begun).await;
        assert!(client.until_closed().await.is_empty());
    }
    let metrics = stage.metrics().await;
    assert!(metrics.contains("vestibule_connections_refused_total{reason=\"proxy_header_timeout\"} 2\n"), "{metrics}");
    assert_eq!(stage.upstream.take().len(), 0);
}

#[tokio::test]
async fn who_is_refused_for_a_proxy_header_leaves_one_line_with_the_reason() {
    let stage = behind_a_load_balancer().start_binary().await;
    let mut client = stage.connect().await;
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    client.until_closed().await;
    let line = |event: &Value| {
        let message = event["message"].as_str()?;
        message.contains("does not begin with a PROXY header").then(|| event["peer"].as_str().map(str::to_owned))
    };
    let peer = stage.door.process.event("the refusal", line).await;
    assert!(peer.is_some_and(|peer| peer.starts_with("127.0.0.1:")));
}

#[tokio::test]
async fn above_the_number_of_connections_the_others_wait_and_are_served_when_there_is_a_place() {
    let stage = Stage::builder().public("/**").limits("connections = 2").start().await;
    let (mut first, mut second) = (stage.connect().await, stage.connect().await);
    for client in [&mut first, &mut second] {
        assert_eq!(get(client, &[]).await.status, 200);
    }
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let mut client = stage.connect().await;
        client.send(Request::get("/waiting").to_host(stage.authority()).bytes()).await;
        waiting.push(client);
    }
    patiently("the pause", async {
        while !stage.metrics().await.contains("vestibule_accept_pauses_total{reason=\"connections\"} 1") {}
    })
    .await;
    assert_eq!(get(&mut first, &[]).await.status, 200, "who is in is not hurt");
    assert_eq!(stage.upstream.take().len(), 3, "who waits has not been served");
    drop((first, second));
    for mut client in waiting {
        assert_eq!(client.response().await.expect("an answer").status, 200);
    }
    assert_eq!(stage.upstream.take().len(), 5);
}

#[tokio::test]
async fn threat_122_when_descriptors_are_used_up_others_wait_unhurt_and_it_recovers() {
    // 64 are kept back, so there are places for eight connections.
    let stage = Stage::builder()
        .public("/**")
        .limits("connections = 0")
        .start_binary_in(|_| Surroundings::after("ulimit -n 80"))
        .await;
    let mut bystander = stage.connect().await;
    assert_eq!(get(&mut bystander, &[]).await.status, 200);

    // A flood of visitors uses up the places, but not the descriptors.
    let flood = flood(stage.door_address()).await;
    said(&stage, "no more are accepted until one ends").await;
    assert_eq!(get(&mut bystander, &[]).await.status, 200, "who is in is not hurt");
    drop(flood);
    assert_eq!(stage.send(Request::get("/again")).await.status, 200, "it recovers by itself");

    // Something else uses up the descriptors: here, whoever floods the ops listener.
    let flood = self::flood(stage.door.ops()).await;
    said(&stage, "the ops listener cannot accept").await;
    let mut waiting = stage.connect().await;
    waiting.send(Request::get("/waiting").to_host(stage.authority()).bytes()).await;
    said(&stage, "connections cannot be accepted").await;
    assert_eq!(get(&mut bystander, &[]).await.status, 200, "who is in is not hurt");
    drop(flood);
    assert_eq!(waiting.response().await.expect("an answer").status, 200, "it recovers by itself");
    assert_eq!(stage.upstream.take().len(), 5);
    assert!(stage.metrics().await.contains("vestibule_accept_pauses_total{reason=\"error\"}"));
}

/// More connections than there can be descriptors for, in which nothing is said.
async fn flood(address: SocketAddr) -> Vec<RawClient> {
    let mut flood = Vec::new();
    for _ in 0..100 {
        flood.push(RawClient::connect(address).await);
    }
    flood
}

/// Waits for a line with these words.
async fn said(stage: &Stage<Binary>, words: &str) {
    stage.door.process.line(words, |line| line.contains(words).then_some(())).await;
}
