//! Named cases: what a permissions file should say to requests, and what it says.
//!
//! Cases are judged in order, by the engine that the gateway has, hooks included. A case that cannot be judged has the
//! answer [`Answer::Error`], which a case may expect like any other; judging itself never fails.

use std::path::Path;

use super::{CheckError, Decision, Engine, Request, Verdict};

/// A request and what is expected of a permissions file.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub request: Request,
    pub expected: Expected,
}

/// What a case asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub answer: Answer,
    pub rule: ExpectedRule,
}

/// Which rule must decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedRule {
    /// Whichever does.
    Whichever,
    /// None: no rule's scope may match.
    None,
    /// One with this scope.
    Scope(String),
}

/// A verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Allow,
    Deny,
    /// There is no verdict: the file, a schema or a hook is unusable.
    Error,
}

impl Answer {
    /// The answer that is written as `word`.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Allow, Self::Deny, Self::Error]
            .into_iter()
            .find(|answer| answer.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }
}

/// What a permissions file said to the request of a case.
#[derive(Debug)]
pub struct Outcome(pub Result<Verdict, CheckError>);

impl Outcome {
    pub fn answer(&self) -> Answer {
        match &self.0 {
            Ok(verdict) if verdict.decision == Decision::Allowed => Answer::Allow,
            Ok(_) => Answer::Deny,
            Err(_) => Answer::Error,
        }
    }

    /// The scope of the rule that decided.
    pub fn scope(&self) -> Option<&str> {
        let rule = self.0.as_ref().ok()?.rule.as_ref()?;
        Some(&rule.scope)
    }

    /// Whether it is what was expected.
    pub fn meets(&self, expected: &Expected) -> bool {
        let has_rule = match &expected.rule {
            ExpectedRule::Whichever => true,
            ExpectedRule::None => self.scope().is_none(),
            ExpectedRule::Scope(scope) => self.scope() == Some(scope),
        };
        has_rule && self.answer() == expected.answer
    }

    /// Whether another file said something else, or said it by a rule for another scope.
    pub fn differs_from(&self, other: &Self) -> bool {
        (self.answer(), self.scope()) != (other.answer(), other.scope())
    }
}

/// What the file at `config` says to the cases, in their order.
pub async fn judge(engine: &Engine, config: &Path, cases: &[Case]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(cases.len());
    for case in cases {
        outcomes.push(Outcome(engine.judge(config, &case.request).await));
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use url::Url;

    use super::*;
    use crate::permissions::BuiltinSchemas;

    fn case(url: &str, answer: Answer, rule: ExpectedRule) -> Case {
        let url = Url::parse(url).expect("a URL");
        Case {
            name: url.to_string(),
            request: Request::new("GET", &url, std::iter::empty(), None, None),
            expected: Expected { answer, rule },
        }
    }

    #[tokio::test]
    async fn an_expectation_is_met_by_the_answer_and_the_rule_together() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("policy.json");
        let policy = json!({
            "schemas": {
                "a": {"properties": {"domain": {"const": "a.test"}}},
                "b": {"properties": {"domain": {"const": "b.test"}}}
            },
            "rules": [{"a": ["any"]}, {"b": {"hooks": ["./absent"]}}]
        });
        std::fs::write(&file, policy.to_string()).expect("written");
        let scope = |name: &str| ExpectedRule::Scope(name.to_owned());
        let cases = [
            (case("https://a.test/", Answer::Allow, scope("a")), true),
            (
                case("https://a.test/", Answer::Allow, ExpectedRule::Whichever),
                true,
            ),
            (case("https://a.test/", Answer::Allow, scope("b")), false),
            (case("https://a.test/", Answer::Deny, scope("a")), false),
            (
                case("https://b.test/", Answer::Error, ExpectedRule::Whichever),
                true,
            ),
            (
                case("https://c.test/", Answer::Deny, ExpectedRule::None),
                true,
            ),
            (
                case("https://a.test/", Answer::Allow, ExpectedRule::None),
                false,
            ),
        ];
        let (cases, met): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let engine = Engine::new(BuiltinSchemas::standard());
        let outcomes = judge(&engine, &file, &cases).await;
        let seen: Vec<_> = outcomes
            .iter()
            .zip(&cases)
            .map(|(outcome, case)| outcome.meets(&case.expected))
            .collect();
        assert_eq!(seen, met, "{outcomes:#?}");
        assert!(
            outcomes
                .iter()
                .all(|outcome| !outcome.differs_from(outcome))
        );
    }

    #[tokio::test]
    async fn outcomes_differ_by_answer_or_scope() {
        let directory = tempfile::tempdir().expect("a directory");
        let engine = Engine::new(BuiltinSchemas::standard());
        let cases = [case("https://a.test/", Answer::Deny, ExpectedRule::None)];
        let mut outcomes = Vec::new();
        for (name, rules) in [
            ("none", json!([])),
            ("deny", json!([{"any": []}])),
            ("later", json!([{"slack-api": []}, {"any": []}])),
            ("allow", json!([{"any": ["any"]}])),
            ("error", json!([{"missing": []}])),
        ] {
            let file = directory.path().join(name);
            std::fs::write(&file, json!({"rules": rules}).to_string()).expect("written");
            outcomes.extend(judge(&engine, &file, &cases).await);
        }
        let differs = |one: usize, other: usize| outcomes[one].differs_from(&outcomes[other]);
        assert!(!differs(1, 2), "the same scope at another place");
        for other in [0, 3, 4] {
            assert!(differs(1, other), "{other}");
        }
    }
}
