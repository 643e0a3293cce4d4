use super::*;
use crate::clock::Timestamp;

fn meter() -> Meter {
    Meter::new(&Clock::manual(Timestamp::from_unix(1_700_000_000)).0)
}

fn has_line(meter: &Meter, line: &str) -> bool {
    meter.render().lines().any(|found| found == line)
}

#[test]
fn every_number_has_its_name_and_its_labels() {
    let meter = meter();
    let app = meter.app(&AppId::new("wiki"));
    for status in [101, 200, 204, 302, 404, 502, 999] {
        app.count(status);
    }
    app.refused("not_admitted");
    app.upstream_answered(Duration::from_millis(3));
    let provider = meter.provider(&ProviderId::new("company"));
    provider.called(ProviderCall::Token, Duration::from_millis(40));
    provider.metadata(Metadata::Known);
    provider.sign_in_succeeded();
    provider.sign_in_failed("nonce_mismatch");
    meter.session_opened();
    meter.session_ended("signed_out");
    meter.connection_cut("head_too_slow");
    meter.configured(Timestamp::from_unix(1_700_000_000));
    meter.reloaded(Reload::Taken, Timestamp::from_unix(1_700_000_060));
    meter.reloaded(Reload::Refused, Timestamp::from_unix(1_700_000_120));
    let unrouted = meter.unrouted();
    unrouted.count(421);
    unrouted.refused("unknown_host");

    for line in [
        "process_start_time_seconds 1700000000",
        concat!("vestibule_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "vestibule_requests_total{app=\"wiki\",class=\"1xx\"} 1",
        "vestibule_requests_total{app=\"wiki\",class=\"2xx\"} 2",
        "vestibule_requests_total{app=\"wiki\",class=\"3xx\"} 1",
        "vestibule_requests_total{app=\"wiki\",class=\"4xx\"} 1",
        "vestibule_requests_total{app=\"wiki\",class=\"5xx\"} 2",
        "vestibule_refusals_total{app=\"wiki\",reason=\"not_admitted\"} 1",
        "vestibule_upstream_seconds_bucket{le=\"0.0025\",app=\"wiki\"} 0",
        "vestibule_upstream_seconds_bucket{le=\"0.005\",app=\"wiki\"} 1",
        "vestibule_provider_seconds_sum{provider=\"company\",call=\"token\"} 0.04",
        "vestibule_provider_seconds_count{provider=\"company\",call=\"keys\"} 0",
        "vestibule_provider_metadata_known{provider=\"company\"} 1",
        "vestibule_sign_ins_total{provider=\"company\",outcome=\"succeeded\",reason=\"\"} 1",
        "vestibule_sign_ins_total{provider=\"company\",outcome=\"failed\",reason=\"nonce_mismatch\"} 1",
        "vestibule_sessions_opened_total 1",
        "vestibule_sessions_ended_total{reason=\"signed_out\"} 1",
        "vestibule_connections 0",
        "vestibule_connections_cut_total{reason=\"head_too_slow\"} 1",
        "vestibule_requests_total{app=\"\",class=\"4xx\"} 1",
        "vestibule_refusals_total{app=\"\",reason=\"unknown_host\"} 1",
        "vestibule_log_lines_dropped_total 0",
        "vestibule_config_reloads_total{outcome=\"taken\"} 1",
        "vestibule_config_reloads_total{outcome=\"refused\"} 1",
        "vestibule_config_last_good_time_seconds 1700000060",
    ] {
        assert!(has_line(&meter, line), "{line} is missing in\n{}", meter.render());
    }
}

#[test]
fn the_same_id_counts_into_the_same_numbers_after_a_reload() {
    let meter = meter();
    meter.app(&AppId::new("wiki")).count(200);
    meter.app(&AppId::new("wiki")).count(200);
    assert!(has_line(&meter, "vestibule_requests_total{app=\"wiki\",class=\"2xx\"} 2"));
}

#[test]
fn threat_127_no_request_adds_a_time_series() {
    let meter = meter();
    let app = meter.app(&AppId::new("wiki"));
    let before = meter.render().lines().count();
    for status in 0..=u16::MAX {
        app.count(status);
    }
    for millis in 0..100 {
        app.upstream_answered(Duration::from_millis(millis * millis * millis));
    }
    assert_eq!(meter.render().lines().count(), before);
}

#[test]
fn a_connection_counts_while_it_is_open() {
    let meter = meter();
    let (first, second) = (meter.connection(), meter.connection());
    assert!(has_line(&meter, "vestibule_connections 2"));
    drop(first);
    drop(second);
    assert!(has_line(&meter, "vestibule_connections 0"));
}

#[test]
fn a_duration_is_counted_at_and_below_its_bound_and_every_one_in_the_last_bucket() {
    let meter = meter();
    let app = meter.app(&AppId::new("wiki"));
    for (duration, bound) in [(Duration::from_millis(1), "0.001"), (Duration::from_mins(1), "60.0")] {
        app.upstream_answered(duration);
        let line = format!("vestibule_upstream_seconds_bucket{{le=\"{bound}\",app=\"wiki\"}}");
        assert!(meter.render().lines().any(|found| found.starts_with(&line) && !found.ends_with(" 0")), "{line}");
    }
    app.upstream_answered(Duration::MAX);
    assert!(has_line(&meter, "vestibule_upstream_seconds_bucket{le=\"60.0\",app=\"wiki\"} 2"));
    assert!(has_line(&meter, "vestibule_upstream_seconds_bucket{le=\"+Inf\",app=\"wiki\"} 3"));
    assert!(has_line(&meter, "vestibule_upstream_seconds_count{app=\"wiki\"} 3"));
}
