//! JUnit XML, for servers that show test results: one suite per file, one failed case per finding.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::text::{place, where_in};
use super::wire::{Check, CheckFinding};
use crate::finding::Severity;
use crate::rules;

/// Rules that say an input could not be read: no failed test but an error of the run.
const UNREADABLE: [&str; 3] = ["unreadable", "not-utf8", "too-large"];

/// Renders a report. A run without findings is one passed case, so that servers do not take it for no tests.
///
/// # Errors
/// None that the types allow; the writer's signature wants one.
pub fn junit(check: &Check) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("dynlint");
    let mut suite: Option<TestSuite> = None;
    // Findings come sorted by path.
    for finding in &check.findings {
        let path = finding.place.path.as_str();
        if suite.as_ref().is_none_or(|suite| suite.name.as_str() != path) {
            report.add_test_suites(suite.take());
            suite = Some(TestSuite::new(path));
        }
        if let Some(suite) = &mut suite {
            suite.add_test_case(case(finding));
        }
    }
    report.add_test_suites(suite.take());
    if let Some(open) = check.undecided.as_ref().filter(|list| !list.is_empty()) {
        let mut suite = TestSuite::new("undecided");
        suite.add_test_cases(open.iter().map(|open| {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{}: {}", place(&open.place), open.reason));
            TestCase::new(open.rule, status)
        }));
        report.add_test_suite(suite);
    }
    if check.findings.is_empty() {
        let mut suite = TestSuite::new("dynlint");
        suite.add_test_case(TestCase::new("no findings", TestCaseStatus::success()));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn case(finding: &CheckFinding) -> TestCase {
    let place = place(&finding.place);
    let mut text = format!("{place}: {}[{}] {}\n", finding.severity, finding.rule, finding.message);
    for label in finding.labels.iter().filter(|label| !label.message.is_empty()) {
        text.push_str(&format!("{}: {}\n", self::place(&label.place), label.message));
    }
    if !finding.help.is_empty() {
        text.push_str(&format!("help: {}\n", finding.help));
    }
    if let Some(rule) = rules::find(finding.rule) {
        text.push_str(&rule.url());
    }
    let status = if finding.severity == Severity::Advice {
        TestCaseStatus::success()
    } else {
        let kind = if UNREADABLE.contains(&finding.rule) { NonSuccessKind::Error } else { NonSuccessKind::Failure };
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(finding.message.as_str()).set_type(finding.severity.as_str()).set_description(text.as_str());
        status
    };
    let mut case = TestCase::new(format!("{} {place}", finding.rule), status);
    case.set_classname(where_in(finding).unwrap_or_else(|| finding.place.path.clone()));
    if finding.severity == Severity::Advice {
        case.set_system_out(text.as_str());
    }
    if !finding.place.is_live() {
        case.extra.insert("file".into(), finding.place.path.as_str().into());
        case.extra.insert("line".into(), finding.place.line.to_string().into());
    }
    case
}
