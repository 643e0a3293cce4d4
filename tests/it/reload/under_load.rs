//! Reloads while requests run, on the real program with two workers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use vestibule::meter::Reload;

use crate::harness::{Door, RawClient, RecordingUpstream, Request, Signal, Stage, patiently, upstream::Answer};

/// How often the configuration changes.
const CHANGES: usize = 30;

/// What an app answers: its name, and the `Host` that it was asked for.
fn tell(upstream: &RecordingUpstream, name: &'static str) {
    upstream.answer(move |request| Answer::ok(&format!("{name} {}", request.header("host").unwrap_or_default())));
}

#[tokio::test]
async fn a_storm_of_sighup_loses_no_request_and_answers_none_by_a_mixture() {
    let (red, blue) = (RecordingUpstream::start().await, RecordingUpstream::start().await);
    tell(&red, "red");
    tell(&blue, "blue");
    let of_red = format!("upstream = \"http://{}\"\npreserve_host = true", red.address());
    let of_blue = format!("upstream = \"http://{}\"\npreserve_host = false", blue.address());
    let stage = Stage::builder().public("/**").server("workers = 2").app(&of_red).start_binary().await;
    let in_red = stage.door.configuration().to_owned();
    let in_blue = in_red.replace(&of_red, &of_blue);
    let answers = [format!("red {}", stage.authority()), format!("blue {}", blue.address())];

    let over = Arc::new(AtomicBool::new(false));
    let visitors: Vec<_> = (0..4)
        .map(|_| {
            let (over, answers, address) = (Arc::clone(&over), answers.clone(), stage.door.address());
            let request = Request::get("/page").to_host(stage.authority());
            tokio::spawn(async move {
                let (mut client, mut seen) = (RawClient::connect(address).await, [0_usize; 2]);
                while !over.load(Ordering::Relaxed) {
                    let answer = client.exchange(&request).await;
                    let place = answers.iter().position(|known| *known == answer.text());
                    seen[place.unwrap_or_else(|| panic!("neither: {answer:?}"))] += 1;
                }
                seen
            })
        })
        .collect();
    for change in 0..CHANGES {
        let next = if change % 2 == 0 { &in_blue } else { &in_red };
        stage.door.rewrite(next);
        stage.door.process.signal(Signal::HangUp).await;
        let taken = format!("vestibule_config_reloads_total{{outcome=\"taken\"}} {}\n", change + 1);
        patiently("the reload", async { while !stage.metrics().await.contains(&taken) {} }).await;
        // From here on everybody gets the new one.
        let answer = stage.send(Request::get("/page")).await;
        assert_eq!(answer.text(), answers[(change + 1) % 2], "change {change}");
    }
    // Signals that nobody waits for: they may fall together, and none does harm.
    for _ in 0..CHANGES {
        stage.door.process.signal(Signal::HangUp).await;
    }
    over.store(true, Ordering::Relaxed);
    let mut seen = [0; 2];
    for visitor in visitors {
        let of_one = patiently("a visitor", visitor).await.expect("every request had one of the two answers");
        seen = [seen[0] + of_one[0], seen[1] + of_one[1]];
    }
    assert!(seen.iter().all(|times| *times > CHANGES), "both were in use: {seen:?}");
}

#[tokio::test]
async fn a_thousand_routes_are_taken_while_requests_run() {
    let stage = Stage::builder().public("/page").start().await;
    let mut client = stage.connect().await;
    let routes = |last: &str| {
        let routes = (0..1000).map(|n| format!("[[app.route]]\npath = \"/r{n}/*/x\"\naccess = \"public\"\n"));
        format!("{}[[app.route]]\npath = \"{last}\"\naccess = \"public\"\n", routes.collect::<String>())
    };
    let (page, last) = (Request::get("/page").to_host(stage.authority()), "/r999/1/x");
    let reload = stage.door.reload(|text| text.to_owned() + &routes("/last"));
    let mut reload = std::pin::pin!(reload);
    let mut meanwhile = 0;
    let taken = loop {
        tokio::select! {
            taken = &mut reload => break taken,
            answer = client.exchange(&page) => {
                assert_eq!(answer.status, 200);
                meanwhile += 1;
            }
        }
    };
    assert_eq!(taken, Reload::Taken);
    assert!(meanwhile > 0, "requests were answered meanwhile");
    for (path, status) in [(last, 200), ("/last", 200), ("/r1000/1/x", 401)] {
        assert_eq!(stage.send(Request::get(path)).await.status, status, "{path}");
    }
}
