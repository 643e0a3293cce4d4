//! One filled-in example of each page: for snapshots, for screenshots, for whoever changes the style.

use super::{
    Action, ConfirmReplacePage, Pages, ProviderChoice, RefusalPage, SignInPage, SignOutPage, SignedOutPage,
    UnauthorizedPage, text,
};

const APP: &str = "Team wiki";
const ACCOUNT: &str = "ann.example@example.com";
const REQUEST_ID: &str = "0192f7c4-5a51-7c1e-9d0b-3f6a2b8c4d5e";

impl Pages {
    /// Each page by name.
    pub fn samples(&self) -> Vec<(&'static str, String)> {
        let again = Action::link(text::TRY_AGAIN, "/pages/start");
        let another = Action::link(text::USE_ANOTHER_ACCOUNT, "/_vestibule/start?rd=/pages/start");
        let root = Action::link(text::GO_TO_START, "/");
        vec![
            (
                "refusal",
                self.refusal(&RefusalPage {
                    app_name: APP,
                    heading: text::PROVIDER_UNREACHABLE.heading,
                    explanation: text::PROVIDER_UNREACHABLE.explanation,
                    account: None,
                    actions: &[again, root.clone()],
                    request_id: REQUEST_ID,
                }),
            ),
            (
                "denied",
                self.refusal(&RefusalPage {
                    app_name: APP,
                    heading: text::NOT_ADMITTED.heading,
                    explanation: text::NOT_ADMITTED.explanation,
                    account: Some(ACCOUNT),
                    actions: &[another, Action::post(text::SIGN_OUT, "/_vestibule/sign_out")],
                    request_id: REQUEST_ID,
                }),
            ),
            (
                "sign_in",
                self.sign_in(&SignInPage {
                    app_name: APP,
                    providers: &[
                        ProviderChoice { id: "company", name: "Company account" },
                        ProviderChoice { id: "partners", name: "Partner login" },
                        ProviderChoice { id: "google", name: "Google" },
                    ],
                    return_to: "/pages/start?edit=1&lang=en",
                }),
            ),
            (
                "sign_out",
                self.sign_out(&SignOutPage { app_name: APP, account: Some(ACCOUNT), return_to: Some("/goodbye") }),
            ),
            ("signed_out", self.signed_out(&SignedOutPage { app_name: APP, return_to: None })),
            (
                "unauthorized",
                self.unauthorized(&UnauthorizedPage {
                    app_name: APP,
                    return_to: "/pages/start",
                    request_id: REQUEST_ID,
                }),
            ),
            (
                "confirm_replace",
                self.confirm_replace(&ConfirmReplacePage {
                    app_name: APP,
                    account: ACCOUNT,
                    sign_in: &Action::post(text::SIGN_IN_AGAIN, "/_vestibule/start").with_field("rd", "/pages/start"),
                    return_to: "/pages/start",
                }),
            ),
        ]
    }
}
