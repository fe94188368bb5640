//! `stakeout smoke`: starts a program, waits until it is ready, runs checks, stops it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::effective::Source;
use super::run::Options;
use super::setup::{Run, Sockets};
use super::values::period;
use super::{Failure, commands, print_out, run, setup, typed, write_whole};
use crate::dispatch::{Check, Checks, Dispatcher, SmokeReport};
use crate::scan::reason;
use crate::ui::{Log, text};

/// Start a program, wait until it is ready, run checks, and stop it: for CI.
///
/// Exits with the status of the first check that failed, with 124 if the program was not ready in
/// time, or with its own if it ended too early. What variables say of the program (such as
/// STAKEOUT_READY, STAKEOUT_BUILD or STAKEOUT_USER) holds here as well.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stakeout smoke --ready http://127.0.0.1:8080/health \\
    --check 'curl -fsS http://127.0.0.1:8080/' --junit smoke.xml -- ./server")]
pub struct Smoke {
    /// What says that the program is ready; see stakeout --help
    #[arg(long, value_name = "HOW")]
    pub ready: Option<String>,

    /// How long it may take to become ready
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = period)]
    pub timeout: Duration,

    /// Run this by a shell when the program is ready; it has to end with 0
    ///
    /// May be given several times: one after the other, all of them.
    #[arg(
        long,
        value_name = "CMD",
        required = true,
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub check: Vec<String>,

    /// How long each check may take
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = period)]
    pub check_timeout: Duration,

    /// Print what came of it as JSON; what the program prints goes to standard error
    #[arg(long)]
    pub json: bool,

    /// Write what came of it to this file, as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Say only what is wrong
    #[arg(short, long)]
    pub quiet: bool,

    /// The program to run, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Does all that; gives the status to exit with.
pub fn smoke(smoke: &Smoke) -> Result<u8, Failure> {
    let words = words(smoke);
    let typed = typed::parse(&words, &[]).map_err(|error| {
        let text = error.render().to_string();
        let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Failure::usage(anyhow!("{line}"))
    })?;
    let source = Source::read(&typed.cli)?;
    let Options { runs, .. } = run::assemble(&words, &typed, source.as_ref())?;
    let [Run { cli, .. }] = runs.as_slice() else {
        return Err(Failure::usage(anyhow!(
            "a smoke test is of one service; name a file of its own by STAKEOUT_CONFIG"
        )));
    };
    if cli.serving.ready.is_none() {
        return Err(Failure::usage(anyhow!(
            "what says that the program is ready? Give --ready, for example --ready tcp:8080"
        )));
    }
    let log = Log::new(cli.output.level(), cli.output.style())?;
    let control = run::listen(&cli.control.place(), &log).map_err(Failure::usage)?;
    let steps = commands::checks(cli, &smoke.check).map_err(Failure::usage)?;
    let mut what =
        setup::setup(cli, &runs, &mut Sockets::default(), control).map_err(Failure::usage)?;
    what.services[0].keeps_output = true;
    what.services[0].spares_stdout = smoke.json;
    what.services[0].checks = Some(Checks { steps, timeout: smoke.check_timeout });
    let (status, report) = Dispatcher::new(what, log)?.run(None)?;
    let Some(report) = report else { return Ok(status) };
    let text = match smoke.json {
        true => serde_json::to_string(&report)? + "\n",
        false => summary(&report),
    };
    print_out(&text)?;
    // Whoever cannot have the file has seen what came of it.
    if let Some(path) = &smoke.junit {
        write_whole(path, &junit(&report))
            .map_err(|error| anyhow!("cannot write {}: {}", text::path(path), reason(&error)))?;
    }
    Ok(status)
}

/// The command line that runs the program, so that variables mean what they mean there.
fn words(smoke: &Smoke) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["stakeout".into(), "--no-watch".into(), "--no-keys".into()];
    let timeout = humantime::format_duration(smoke.timeout).to_string();
    words.extend(["--ready-timeout".into(), timeout.into(), "--restart=never".into()]);
    if let Some(ready) = &smoke.ready {
        words.push(format!("--ready={ready}").into());
    }
    if smoke.quiet {
        words.push("--quiet".into());
    }
    words.push("--".into());
    words.extend(smoke.command.iter().cloned());
    words
}

/// For people: a line for each check, and what was written last when something failed.
fn summary(report: &SmokeReport) -> String {
    let mut lines = String::new();
    let mut line = |line: &str| lines.extend([line, "\n"]);
    for Check { command, failure, took_ms, .. } in &report.checks {
        let verdict = if failure.is_none() { "passed" } else { "FAILED" };
        line(&format!("{verdict} {command} ({took_ms}ms)"));
    }
    match &report.failure {
        None => {
            line(&format!("smoke test passed, {}", text::count(report.checks.len(), "check")));
        }
        Some(failure) => {
            line(&format!("smoke test FAILED: {failure}"));
            if !report.output.is_empty() {
                let whose = if report.is_of_build { "the build" } else { "the program" };
                line(&format!("{whose} wrote last:"));
                report.output.iter().for_each(|written| line(&format!("  {written}")));
            }
        }
    }
    lines
}

/// As most CI services read it (the format has no specification; this is what surefire writes).
fn junit(report: &SmokeReport) -> String {
    let start = Check {
        command: "the program becomes ready".into(),
        status: 0,
        failure: report.ready_ms.is_none().then(|| report.failure.clone().unwrap_or_default()),
        took_ms: report.ready_ms.unwrap_or(report.gave_up_ms),
        output: report.output.clone(),
    };
    let is_cut = report.ready_ms.is_some() && report.failure.is_some();
    let end =
        (is_cut && report.checks.iter().all(|check| check.failure.is_none())).then(|| Check {
            command: "the program stays until the end".into(),
            status: report.status,
            failure: report.failure.clone(),
            took_ms: 0,
            output: report.output.clone(),
        });
    let cases: Vec<&Check> = [&start].into_iter().chain(&report.checks).chain(&end).collect();
    let failed = cases.iter().filter(|case| case.failure.is_some()).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string does not fail.
    _ = writeln!(
        xml,
        "<testsuite name=\"stakeout smoke\" tests=\"{}\" failures=\"{failed}\" skipped=\"{}\">",
        cases.len() + report.skipped.len(),
        report.skipped.len(),
    );
    for Check { command, failure, took_ms, output, .. } in cases {
        let seconds = *took_ms as f64 / 1000.0;
        _ = write!(xml, "  <testcase name=\"{}\" time=\"{seconds:.3}\">", escape(command));
        if let Some(failure) = failure {
            _ = write!(xml, "<failure message=\"{}\"/>", escape(failure));
        }
        if !output.is_empty() {
            _ = write!(xml, "<system-out>{}</system-out>", escape(&output.join("\n")));
        }
        xml.push_str("</testcase>\n");
    }
    for command in &report.skipped {
        _ = writeln!(xml, "  <testcase name=\"{}\"><skipped/></testcase>", escape(command));
    }
    xml.push_str("</testsuite>\n");
    xml
}

/// Text within XML 1.0, which has no way to write most control characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ if character.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_writes_cannot_break_the_xml() {
        let report = SmokeReport {
            status: 3,
            failure: Some("a \"<b>\" & \u{1b}[31m".into()),
            output: vec!["]]></system-out>".into()],
            ..SmokeReport::default()
        };
        let xml = junit(&report);
        assert!(xml.contains("message=\"a &quot;&lt;b&gt;&quot; &amp; \u{fffd}[31m\""), "{xml}");
        assert_eq!(xml.matches("</system-out>").count(), 1);
        assert!(xml.contains("tests=\"1\" failures=\"1\""));
    }
}
