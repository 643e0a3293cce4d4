//! Restarts under load: systemd holds the socket, and no visitor notices.

use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::task::JoinSet;
use vestibule::listener::capacity;

use crate::harness::{Door as _, RawClient, Request, Signal, Stage, Surroundings};

/// How often it is started anew.
const RESTARTS: usize = 50;

/// How often somebody comes: 1,000 times a second. Who is late comes all the same.
const EVERY: Duration = Duration::from_millis(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_50_restarts_under_1000_requests_a_second_lose_no_request() {
    // Those who wait for the next process hold descriptors in this one.
    capacity::within_descriptors(None);
    let mut socket = None;
    let mut stage = Stage::builder()
        .public("/**")
        .server("listen = [\"systemd:\"]\nworkers = 2")
        .log("access = false")
        .start_binary_in(|port| with(socket.insert(listener(port))))
        .await;
    let socket = socket.expect("it was started with it");
    let load = Load::start(stage.door.address(), stage.authority().to_owned());

    for restart in 0..RESTARTS {
        // systemd starts one after the other has ended; a roll-out starts it before.
        let successor = if restart % 2 == 0 {
            stop(&mut stage.door).await;
            stage.door.successor(with(&socket)).await
        } else {
            let successor = stage.door.successor(with(&socket)).await;
            stop(&mut stage.door).await;
            successor
        };
        stage.door = successor;
    }

    let answered = load.stop().await;
    let mut seen: Vec<_> = stage.upstream.take().iter().map(|request| request.target().to_owned()).collect();
    seen.sort_unstable();
    let mut expected: Vec<_> = (0..answered).map(path).collect();
    expected.sort_unstable();
    assert!(seen == expected, "each of {answered} requests reaches the app once: {} have", seen.len());
}

/// A socket that a service manager holds, listening for all who come.
fn listener(port: u16) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("a fresh socket takes options");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into()).expect("a port of ours");
    socket.listen(4096).expect("a bound socket");
    socket
}

fn with(socket: &Socket) -> Surroundings {
    let descriptor: OwnedFd = socket.try_clone().expect("a descriptor").into();
    Surroundings::with_sockets(vec![descriptor], "web")
}

async fn stop(binary: &mut crate::harness::Binary) {
    binary.process.signal(Signal::Terminate).await;
    let (status, output) = binary.process.end().await;
    assert_eq!(status.code(), Some(0), "{output}");
}

/// Visitors who come one after the other, whether those before have been answered or not.
struct Load {
    stop: Arc<AtomicBool>,
    visitors: tokio::task::JoinHandle<usize>,
}

impl Load {
    fn start(address: SocketAddr, authority: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let visitors = tokio::spawn(async move {
            let (mut visits, mut number) = (JoinSet::new(), 0);
            let mut tick = tokio::time::interval(EVERY);
            while !until.load(Ordering::Relaxed) {
                tick.tick().await;
                visits.spawn(visit(address, authority.clone(), number));
                number += 1;
                while let Some(visited) = visits.try_join_next() {
                    visited.expect("nobody is turned away");
                }
            }
            while let Some(visited) = visits.join_next().await {
                visited.expect("nobody is turned away");
            }
            number
        });
        Self { stop, visitors }
    }

    /// Lets all be answered, and says how many there were.
    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.visitors.await.expect("nobody is turned away")
    }
}

fn path(number: usize) -> String {
    format!("/visit/{number}")
}

/// One request on a connection of its own, which is lost if that ends without an answer.
async fn visit(address: SocketAddr, authority: String, number: usize) {
    let mut client = RawClient::connect(address).await;
    let answer = client.exchange(&Request::get(&path(number)).header("Connection", "close").to_host(&authority)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}
