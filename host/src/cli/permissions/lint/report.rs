//! Findings, for people and for programs.

use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::permissions::lint::{Code, Finding, Severity, Survey};

pub(super) struct Report(pub Survey);

impl Report {
    pub(super) fn exit_code(&self, strict: bool) -> u8 {
        let any = |wanted: &dyn Fn(&Finding) -> bool| self.0.findings.iter().any(wanted);
        if any(&|finding| finding.code == Code::UnusableFile) {
            2
        } else if any(&|finding| match finding.severity() {
            Severity::Error => true,
            Severity::Warning => strict,
            Severity::Note => false,
        }) {
            1
        } else {
            0
        }
    }

    pub(super) fn print(&self, options: &Options) -> Result<(), Failure> {
        let findings = &self.0.findings;
        if options.is_json() {
            return findings
                .iter()
                .try_for_each(|finding| output::json_line(&as_json(finding)));
        }
        for finding in findings {
            output::line(&as_text(finding))?;
        }
        output::line(&self.summary())
    }

    fn summary(&self) -> String {
        let count = |severity| {
            let findings = self.0.findings.iter();
            findings
                .filter(|finding| finding.severity() == severity)
                .count()
        };
        let numbers = [Severity::Error, Severity::Warning, Severity::Note]
            .map(|severity| counted(count(severity), severity.word()));
        format!("{}: {}", counted(self.0.files, "file"), numbers.join(", "))
    }
}

fn as_json(finding: &Finding) -> Value {
    json!({
        "code": finding.code.word(),
        "severity": finding.severity().word(),
        "file": finding.file.to_string_lossy(),
        "rule": finding.rule,
        "place": finding.place,
        "message": finding.message,
        "advice": finding.advice,
    })
}

fn as_text(finding: &Finding) -> String {
    let text = format!(
        "{}[{}] {}{}\n  {}\n  {}",
        finding.severity().word(),
        finding.code.word(),
        finding.file.display(),
        finding.place,
        finding.message,
        finding.advice
    );
    // A name may hold anything, also what a terminal would obey.
    text.chars()
        .filter(|character| !character.is_control() || *character == '\n')
        .collect()
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
