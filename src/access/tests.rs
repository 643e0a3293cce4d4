use super::*;
use crate::{
    config::{
        Access, Condition, Route,
        access::{PathPattern, RouteAccess, SegmentPattern},
        app::OnAnonymous,
    },
    identity::{EmailAddress, Issuer, Subject},
};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn email(text: &str) -> Condition {
    Condition { email: Some(EmailAddress::parse(text).expect(text)), ..Condition::default() }
}

fn group(name: &str) -> Condition {
    Condition { group: Some(name.to_owned()), ..Condition::default() }
}

fn ip(network: &str) -> Condition {
    Condition { ip: Some(network.parse().expect(network)), ..Condition::default() }
}

fn rules(policy: Policy, allow: &[Condition], deny: &[Condition]) -> AppRules {
    let access = Access { policy, allow: allow.to_vec(), deny: deny.to_vec() };
    let public = Route {
        path: PathPattern { segments: vec![SegmentPattern::Literal("open".to_owned())], and_below: false },
        methods: None,
        access: RouteAccess::Public,
        on_anonymous: OnAnonymous::Auto,
    };
    AppRules::new(&access, &[public], vec![ProviderId::new("company")])
}

fn visitor(provider: &str, trust: EmailTrust) -> Visitor {
    Visitor {
        provider: ProviderId::new(provider),
        issuer: Issuer::new("https://id.example.com"),
        subject: Subject::new("248289761001"),
        user: None,
        email: EmailAddress::parse("ann@example.com").ok(),
        email_trust: trust,
        name: None,
        preferred_username: None,
        groups: vec!["staff".to_owned()],
        claims: Vec::new(),
    }
}

fn denial(rules: &AppRules, visitor: &Visitor) -> Option<Denial> {
    let ended = Ended::default();
    match rules.decide(
        RouteMatch::Default,
        CLIENT,
        Some(SignedIn { visitor, standing: rules.judge(visitor), ended: &ended }),
    ) {
        Decision::Permit(_) => None,
        Decision::Deny(denial) => Some(denial),
        Decision::SignIn => panic!("somebody is signed in"),
    }
}

#[test]
fn the_policy_has_the_last_word_and_deny_the_first() {
    use Denial::{Denied, EmailNotVerified, NotListed, ProviderNotOfThisApp};
    use EmailTrust::{Trusted, Untrusted};
    use Policy::{Anyone, Listed};
    let ann = || email("ann@example.com");
    for (policy, allow, deny, provider, trust, expected) in [
        (Anyone, vec![], vec![], "company", Trusted, None),
        (Anyone, vec![], vec![], "company", Untrusted, None),
        (Anyone, vec![], vec![], "other", Trusted, Some(ProviderNotOfThisApp)),
        (Anyone, vec![], vec![group("staff")], "company", Trusted, Some(Denied)),
        (Anyone, vec![], vec![ip("192.0.2.0/24")], "company", Trusted, Some(Denied)),
        (Anyone, vec![], vec![ip("10.0.0.0/8")], "company", Trusted, None),
        // an unverified address is no way around `deny`
        (Anyone, vec![], vec![ann()], "company", Trusted, Some(Denied)),
        (Anyone, vec![], vec![ann()], "company", Untrusted, Some(Denied)),
        (Listed, vec![], vec![], "company", Trusted, Some(NotListed)),
        (Listed, vec![ann()], vec![], "company", Trusted, None),
        (Listed, vec![ann()], vec![], "company", Untrusted, Some(EmailNotVerified)), // threat 95
        (Listed, vec![ann()], vec![], "other", Trusted, Some(ProviderNotOfThisApp)),
        (Listed, vec![ann(), group("staff")], vec![], "company", Untrusted, None),
        (Listed, vec![email("bob@example.com")], vec![], "company", Trusted, Some(NotListed)),
        (Listed, vec![email("bob@example.com")], vec![], "company", Untrusted, Some(NotListed)),
        (Listed, vec![group("admins")], vec![], "company", Trusted, Some(NotListed)), // CVE-2021-21411
        (Listed, vec![ip("192.0.2.7/32")], vec![], "company", Trusted, None),
        (Listed, vec![ann()], vec![group("staff")], "company", Trusted, Some(Denied)),
    ] {
        let case = format!("{policy:?} {allow:?} {deny:?} {provider} {trust:?}");
        assert_eq!(denial(&rules(policy, &allow, &deny), &visitor(provider, trust)), expected, "{case}");
    }
}

#[test]
fn who_is_not_signed_in_is_sent_to_sign_in_but_from_public_routes() {
    for rules in [rules(Policy::Anyone, &[], &[]), rules(Policy::Listed, &[], &[ip("0.0.0.0/0")])] {
        assert!(matches!(rules.decide(RouteMatch::Default, CLIENT, None), Decision::SignIn));
        let Decision::Permit(permit) = rules.decide(RouteMatch::Public(0), CLIENT, None) else {
            panic!("a public route asks nobody");
        };
        assert!(permit.session_end().is_none());
    }
}

#[test]
fn a_public_route_ignores_the_session_whatever_it_is() {
    let rules = rules(Policy::Listed, &[], &[group("staff")]);
    let (visitor, ended) = (visitor("other", EmailTrust::Trusted), Ended::default());
    let Decision::Permit(permit) = rules.decide(
        RouteMatch::Public(0),
        CLIENT,
        Some(SignedIn { visitor: &visitor, standing: rules.judge(&visitor), ended: &ended }),
    ) else {
        panic!("a public route asks nobody");
    };
    assert!(permit.session_end().is_none());
}

#[test]
fn a_permit_ends_with_the_session_that_it_was_given_to() {
    let rules = rules(Policy::Anyone, &[], &[]);
    let (visitor, ended) = (visitor("company", EmailTrust::Trusted), Ended::default());
    let Decision::Permit(permit) = rules.decide(
        RouteMatch::Default,
        CLIENT,
        Some(SignedIn { visitor: &visitor, standing: rules.judge(&visitor), ended: &ended }),
    ) else {
        panic!("anyone may pass");
    };
    let end = permit.session_end().expect("a session's permit");
    assert!(!end.is_ended());
    ended.end();
    assert!(end.is_ended());
}

#[test]
fn a_route_opens_its_path_and_nothing_beside_it() {
    let rules = rules(Policy::Anyone, &[], &[]);
    for (target, route) in [
        ("/open", RouteMatch::Public(0)),
        ("/open?x=/secret", RouteMatch::Public(0)),
        ("/open/x", RouteMatch::Default),
        ("/secret?/open", RouteMatch::Default),
    ] {
        let target = Target::parse(&target.parse().expect(target)).expect(target);
        assert_eq!(rules.route(&Method::GET, &target), route, "{target:?}");
    }
}

#[test]
fn threat_64_method_overrides_are_dropped_where_a_rule_names_methods() {
    let access = Access { policy: Policy::Anyone, allow: Vec::new(), deny: Vec::new() };
    let path = PathPattern { segments: vec![SegmentPattern::Literal("open".to_owned())], and_below: true };
    for (methods, overrides) in
        [(None, MethodOverrides::Pass), (Some(vec![Method::GET, Method::HEAD]), MethodOverrides::Drop)]
    {
        let route = Route { path: path.clone(), methods, access: RouteAccess::Public, on_anonymous: OnAnonymous::Auto };
        assert_eq!(AppRules::new(&access, &[route], Vec::new()).method_overrides(), overrides);
    }
}
