//! One thing that is wrong, and how it is told.

use std::path::{Path, PathBuf};

use crate::permissions::CheckError;

/// What is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub file: PathBuf,
    /// Counted from 0 within the file, where it is about a rule.
    pub rule: Option<usize>,
    /// A JSON pointer after `#`; empty where it is about the file as a whole.
    pub place: String,
    pub message: String,
    pub advice: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file does not do what it says.
    Error,
    /// It does, but hardly what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// The kinds of findings. Their names are stable: scripts match them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The file cannot be read, so nothing is allowed by it.
    UnusableFile,
    /// A rule names a schema that does not exist, which makes the whole file unusable.
    UnknownName,
    /// A schema that is used cannot be evaluated.
    UnusableSchema,
    /// A hook cannot be run.
    UnusableHook,
    /// Earlier rules take every request that the rule's scope matches.
    UnreachableRule,
    /// The rule's scope matches no request.
    ScopeMatchesNothing,
    /// A permission matches no request that the rule's scope matches.
    GrantsNothing,
    /// Others can write the file.
    WritableByOthers,
    /// Others can read the file.
    ReadableByOthers,
    /// A value is compared with that no request has.
    ImpossibleValue,
    /// A pattern restricts nothing.
    MatchesEverything,
    /// A pattern for a domain or a path fixes only a part of it.
    UnanchoredPattern,
    /// A `.` in a pattern for a domain stands for any character.
    UnescapedDot,
    /// A restriction that a request passes by leaving the property out.
    OptionalProperty,
    /// A rule names a permission twice.
    DuplicatePermission,
    /// No rule uses a schema.
    UnusedSchema,
    /// A file that is included does not exist.
    MissingInclude,
    /// A handle leads to a file that does not exist.
    DanglingHandle,
    /// The supervisor knows no agent on the host that the file is for.
    UnknownHost,
    /// The supervisor does not know an agent that the file lets through.
    UnknownAgent,
    /// A pattern needs the slower matcher, which gives up on hard texts.
    BacktrackingPattern,
    /// Whether hosts and agents still exist could not be told.
    HostsNotChecked,
}

impl Finding {
    /// That a file cannot be used at all.
    pub fn unusable(file: &Path, error: &CheckError) -> Self {
        Self::about_file(
            file,
            Code::UnusableFile,
            format!("cannot be used, so every request is denied with an error: {error}"),
            "correct the file",
        )
    }

    pub(super) fn about_file(
        file: &Path,
        code: Code,
        message: String,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            code,
            file: file.to_owned(),
            rule: None,
            place: String::new(),
            message,
            advice: advice.into(),
        }
    }

    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// By file, then by place as people read it.
    pub(super) fn order(&self) -> (PathBuf, Option<usize>, Code, String) {
        (self.file.clone(), self.rule, self.code, self.place.clone())
    }
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl Code {
    pub fn word(self) -> &'static str {
        match self {
            Self::UnusableFile => "unusable-file",
            Self::UnknownName => "unknown-name",
            Self::UnusableSchema => "unusable-schema",
            Self::UnusableHook => "unusable-hook",
            Self::UnreachableRule => "unreachable-rule",
            Self::ScopeMatchesNothing => "scope-matches-nothing",
            Self::GrantsNothing => "grants-nothing",
            Self::WritableByOthers => "writable-by-others",
            Self::ReadableByOthers => "readable-by-others",
            Self::ImpossibleValue => "impossible-value",
            Self::MatchesEverything => "matches-everything",
            Self::UnanchoredPattern => "unanchored-pattern",
            Self::UnescapedDot => "unescaped-dot",
            Self::OptionalProperty => "optional-property",
            Self::DuplicatePermission => "duplicate-permission",
            Self::UnusedSchema => "unused-schema",
            Self::MissingInclude => "missing-include",
            Self::DanglingHandle => "dangling-handle",
            Self::UnknownHost => "unknown-host",
            Self::UnknownAgent => "unknown-agent",
            Self::BacktrackingPattern => "backtracking-pattern",
            Self::HostsNotChecked => "hosts-not-checked",
        }
    }

    fn severity(self) -> Severity {
        match self {
            Self::UnusableFile
            | Self::UnknownName
            | Self::UnusableSchema
            | Self::UnusableHook
            | Self::UnreachableRule
            | Self::ScopeMatchesNothing
            | Self::GrantsNothing
            | Self::WritableByOthers => Severity::Error,
            Self::ReadableByOthers
            | Self::ImpossibleValue
            | Self::MatchesEverything
            | Self::UnanchoredPattern
            | Self::UnescapedDot
            | Self::OptionalProperty
            | Self::DuplicatePermission
            | Self::UnusedSchema
            | Self::MissingInclude
            | Self::DanglingHandle
            | Self::UnknownHost
            | Self::UnknownAgent => Severity::Warning,
            Self::BacktrackingPattern | Self::HostsNotChecked => Severity::Note,
        }
    }
}
