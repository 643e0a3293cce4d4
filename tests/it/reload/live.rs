//! What goes on for longer than a configuration: it is judged again as soon as there is a new one.

use super::{ADA_ONLY, replace};
use crate::{
    demo::provider::people::{ADA, GRACE},
    harness::{
        RawClient, Request, Stage,
        client::{WEB_SOCKET, status},
        patiently,
        upstream::{Answer, Conversation, Conversations, SWITCHING},
        wire::{Complete, Framing},
    },
};

/// A WebSocket whose two ends are the test's.
async fn web_socket(stage: &Stage, conversations: &mut Conversations, request: Request) -> (RawClient, Conversation) {
    let mut client = stage.connect().await;
    client.send(request.headers(&WEB_SOCKET).to_host(stage.authority()).bytes()).await;
    let mut app = conversations.next().await;
    app.expect_head().await;
    app.send(SWITCHING).await;
    assert_eq!(client.response().await.expect("an answer").status, 101);
    (client, app)
}

/// A text frame goes each way.
async fn is_open(client: &mut RawClient, app: &mut Conversation) {
    app.send(b"\x81\x05hello").await;
    assert_eq!(patiently("the app's frame", client.wire.exactly(7)).await, b"\x81\x05hello");
    let asked = b"\x81\x82\x01\x02\x03\x04xy";
    client.send(asked).await;
    assert_eq!(patiently("the visitor's frame", app.wire.exactly(asked.len())).await, asked);
}

/// Both ends are told why it is over.
async fn is_closed(client: &mut RawClient, app: &mut Conversation) {
    let close = b"\x88\x17\x03\xf0not admitted any more"; // 1008: policy violation
    assert_eq!(patiently("our frame", client.wire.exactly(close.len())).await, close);
    assert_eq!(patiently("our frame to the app", app.wire.exactly(2)).await, b"\x88\x97");
}

/// An answer that has begun and goes on.
async fn stream(stage: &Stage, conversations: &mut Conversations, request: Request) -> (RawClient, Conversation) {
    let mut client = stage.connect().await;
    client.send(request.to_host(stage.authority()).bytes()).await;
    let mut app = conversations.next().await;
    app.expect_head().await;
    app.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst").await;
    let head = client.head().await.expect("an answer");
    assert_eq!((status(&head), head.framing(Framing::UntilClose)), (200, Framing::Length(1000)));
    assert_eq!(patiently("its beginning", client.wire.exactly(5)).await, b"first");
    (client, app)
}

#[tokio::test]
async fn web_sockets_and_streams_of_who_is_not_admitted_any_more_end_and_those_of_others_go_on() {
    let stage =
        Stage::builder().access(&ADA_ONLY.replace("}]", "}, { claim = \"sub\", is = \"grace\" }]")).start().await;
    let (ada, grace) = (stage.sign_in(&ADA).await, stage.sign_in(&GRACE).await);
    let conversations = &mut stage.upstream.by_hand();
    let request = |cookie: &str| Request::get("/live").header("Cookie", cookie);
    let (mut socket_a, mut app_a) = web_socket(&stage, conversations, request(&ada)).await;
    let (mut socket_g, mut app_g) = web_socket(&stage, conversations, request(&grace)).await;
    let (mut stream_a, mut source_a) = stream(&stage, conversations, request(&ada)).await;
    let (mut stream_g, mut source_g) = stream(&stage, conversations, request(&grace)).await;

    // Twice, so that those who go on have come under a newer configuration already.
    replace(&stage, "name = \"Team wiki\"", "name = \"Wiki\"").await;
    is_open(&mut socket_a, &mut app_a).await;
    is_open(&mut socket_g, &mut app_g).await;
    replace(&stage, "is = \"grace\"", "is = \"nobody\"").await;
    is_closed(&mut socket_g, &mut app_g).await;
    assert_eq!(patiently("the end of the stream", stream_g.wire.rest()).await, b"");
    assert_eq!(source_g.until_closed().await, b"", "and the app is let go");
    is_open(&mut socket_a, &mut app_a).await;
    source_a.send("second").await;
    assert_eq!(patiently("more", stream_a.wire.exactly(6)).await, b"second");
}

#[tokio::test]
async fn what_is_under_way_at_an_app_that_is_gone_or_at_a_place_that_is_not_public_any_more_ends() {
    let other = "\n[[app]]\nid = \"notes\"\npublic_url = \"http://notes.localhost:PORT\"\nupstream = \"http://UPSTREAM\"\n\
                 [app.access]\npolicy = \"anyone\"\n[[app.route]]\npath = \"/live\"\naccess = \"public\"\n";
    let stage = Stage::builder().public("/live").more(other).start().await;
    let conversations = &mut stage.upstream.by_hand();
    let notes = || Request::get("/live").header("Host", "notes.localhost");
    let (mut at_notes, mut app_n) = web_socket(&stage, conversations, notes()).await;
    let (mut stream_n, _source_n) = stream(&stage, conversations, notes()).await;
    let (mut at_wiki, mut app_w) = web_socket(&stage, conversations, Request::get("/live")).await;

    let gone = async |text: &str| text[..text.rfind("[[app]]").expect("a second app")].to_owned();
    let text = gone(&stage.door.text()).await;
    assert_eq!(stage.door.reload(|_| text).await, vestibule::meter::Reload::Taken);
    is_closed(&mut at_notes, &mut app_n).await;
    assert_eq!(patiently("the end of the stream", stream_n.wire.rest()).await, b"");
    assert_eq!(stage.send(notes()).await.status, 421);
    is_open(&mut at_wiki, &mut app_w).await;
    replace(&stage, "path = \"/live\"", "path = \"/elsewhere\"").await;
    is_closed(&mut at_wiki, &mut app_w).await;
}

#[tokio::test]
async fn a_download_that_never_waits_is_cut_as_well() {
    let stage = Stage::builder().public("/download").start().await;
    let conversations = &mut stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/download").to_host(stage.authority()).bytes()).await;
    let mut app = conversations.next().await;
    app.expect_head().await;
    app.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n").await;
    let endless = tokio::spawn(async move {
        let block = vec![b'x'; 64 * 1024];
        while app.wire.write(&block).await.is_ok() {}
    });
    client.head().await.expect("an answer");
    assert_eq!(patiently("its beginning", client.wire.exactly(1024 * 1024)).await.len(), 1024 * 1024);
    replace(&stage, "path = \"/download\"", "path = \"/elsewhere\"").await;
    assert!(patiently("the end of the connection", client.wire.rest()).await.len() < 1 << 29);
    patiently("the app to be let go", endless).await.expect("it did not panic");
}

#[tokio::test]
async fn an_answer_is_whole_where_its_visitor_may_still_have_it() {
    let stage = Stage::builder().public("/live").start().await;
    let conversations = &mut stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/live").to_host(stage.authority()).bytes()).await;
    let mut app = conversations.next().await;
    app.expect_head().await;
    app.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01").await;
    for part in ["23", "45", "67", "89"] {
        replace(&stage, "[server]", "[server]\n").await;
        app.send(part).await;
    }
    let answer = client.response().await.expect("an answer");
    assert_eq!((answer.text().as_str(), answer.complete), ("0123456789", Complete::Yes));
}

#[tokio::test]
async fn on_one_connection_of_http2_a_stream_that_is_refused_ends_and_its_neighbour_goes_on() {
    let stage = Stage::builder().public("/open").public("/closed").start().await;
    let conversations = &mut stage.upstream.by_hand();
    let mut client = stage.http2().await;
    let mut answers = Vec::new();
    for path in ["/open", "/closed"] {
        client.ready().await;
        let request = stage.http2_get(path).body(()).expect("a request");
        let (answer, _) = client.sender.send_request(request, true).expect("a request that keeps the rules");
        let mut app = conversations.next().await;
        app.expect_head().await;
        app.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nfirst").await;
        let mut body = patiently("an answer", answer).await.expect("an answer").into_body();
        assert_eq!(patiently("its beginning", body.data()).await.expect("some").expect("no reset"), "first");
        answers.push((body, app));
    }
    replace(&stage, "path = \"/closed\"", "path = \"/elsewhere\"").await;
    let [(open, app), (closed, _)] = answers.as_mut_slice() else { panic!("two answers") };
    assert!(patiently("the end", closed.data()).await.expect("an end").is_err(), "a reset, not an end like any other");
    app.send("other").await;
    assert_eq!(patiently("the rest", open.data()).await.expect("some").expect("no reset"), "other");
    stage.upstream.answer(|_| Answer::ok("anew"));
    assert_eq!(client.exchange(stage.http2_get("/elsewhere").body(()).expect("a request")).await.body, b"anew");
    assert_eq!(client.exchange(stage.http2_get("/closed").body(()).expect("a request")).await.status, 401);
}

#[tokio::test]
async fn who_passes_as_nobody_goes_on_as_nobody() {
    let open = "[[app.route]]\npath = \"/open/**\"\naccess = \"optional\"\n";
    let stage = Stage::builder().access(ADA_ONLY).more(open).start().await;
    let grace = stage.sign_in(&GRACE).await;
    let conversations = &mut stage.upstream.by_hand();
    let request = Request::get("/open/feed").header("Cookie", &grace);
    let (mut client, mut app) = stream(&stage, conversations, request).await;
    replace(&stage, "name = \"Team wiki\"", "name = \"Wiki\"").await;
    app.send("next").await;
    assert_eq!(patiently("what follows", client.wire.exactly(4)).await, b"next");
    // Her session has nothing to do with it.
    assert_eq!(stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &grace)).await.status, 303);
    app.send("last").await;
    assert_eq!(patiently("what follows", client.wire.exactly(4)).await, b"last");
}

#[tokio::test]
async fn what_came_by_a_further_host_goes_on_as_long_as_the_app_has_it() {
    let stage = Stage::builder().app("hosts = [\"alias.test\", \"other.test\"]").public("/**").start().await;
    let conversations = &mut stage.upstream.by_hand();
    let mut begun = Vec::new();
    for host in ["alias.test", "other.test"] {
        let mut client = stage.connect().await;
        client.send(Request::get("/feed").to_host(host).bytes()).await;
        let mut app = conversations.next().await;
        app.expect_head().await;
        app.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst").await;
        client.head().await.expect("an answer");
        assert_eq!(patiently("its beginning", client.wire.exactly(5)).await, b"first");
        begun.push((client, app));
    }
    replace(&stage, "\"alias.test\", \"other.test\"", "\"alias.test\"").await;
    let (mut gone, _) = begun.pop().expect("the second");
    assert_eq!(patiently("the end of the stream", gone.wire.rest()).await, b"");
    let (mut client, mut app) = begun.pop().expect("the first");
    app.send("next").await;
    assert_eq!(patiently("what follows", client.wire.exactly(4)).await, b"next");
}
