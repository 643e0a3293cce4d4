//! Bodies larger than any memory.

use crate::harness::{Request, Stage, patiently, wire::Wire};

const MIB: usize = 1024 * 1024;

/// How much goes each way; `VOLUME_MIB=10240` for as much as nobody has memory for.
fn volume() -> usize {
    std::env::var("VOLUME_MIB").map_or(256, |mib| mib.parse().expect("VOLUME_MIB is a number")) * MIB
}

/// What buffers of sockets and HTTP may come to, whatever the size of a body.
const MAX_GROWTH_KIB: u64 = 8 * 1024;

async fn write(wire: &mut Wire, mut length: usize) {
    let block = vec![b'x'; MIB];
    while length > 0 {
        patiently("bytes to be taken", wire.write(&block)).await.expect("the connection stands");
        length -= MIB;
    }
}

async fn read(wire: &mut Wire, mut length: usize) {
    while length > 0 {
        let part = patiently("a part of the body", wire.exactly(64 * 1024)).await;
        assert!(!part.is_empty(), "{length} bytes are missing");
        length -= part.len();
    }
}

#[tokio::test]
async fn a_body_of_any_size_takes_the_same_memory_in_either_direction() {
    let stage = Stage::builder().public("/**").start_binary().await;
    let mut conversations = stage.upstream.by_hand();
    let length = volume();
    let mut client = stage.connect().await;
    client.send(Request::get("/warm").to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    client.response().await.expect("an answer");
    let before = stage.door.process.peak_memory();

    let upload = Request::new("PUT", "/file").header("Content-Length", &length.to_string());
    client.send(upload.to_host(stage.authority()).bytes()).await;
    conversation.expect_head().await;
    tokio::join!(write(&mut client.wire, length), read(&mut conversation.wire, length));
    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(client.response().await.expect("an answer").status, 200);
    let uploaded = stage.door.process.peak_memory();

    client.send(Request::get("/file").to_host(stage.authority()).bytes()).await;
    conversation.expect_head().await;
    conversation.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")).await;
    client.head().await.expect("an answer");
    tokio::join!(write(&mut conversation.wire, length), read(&mut client.wire, length));
    let downloaded = stage.door.process.peak_memory();
    let growth = [uploaded, downloaded].map(|peak| (peak - before) / 1024);
    assert!(growth.iter().all(|kib| *kib < MAX_GROWTH_KIB), "{growth:?} KiB more than before, for {length} bytes");
    println!("{growth:?} KiB more than before, for {length} bytes each way");
}
