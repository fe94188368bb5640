//! What a scan costs, as ratios to floors that are measured in the same run: CPU time, system
//! calls and memory of whole processes. `cargo bench --bench ratios` prints the table of
//! `benches/README.md`.
//!
//! Each figure is taken in a process of its own (this program, called with the figure's name),
//! so that nothing is warmed up or fragmented by another one. Figures are medians.
//!
//! Environment: `BENCH_FILES` sizes of the trees, separated by spaces (default `1000 10000
//! 100000 1000000`); `BENCH_DIR` where they are made and kept (default: in the target directory).

mod ground;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use stakeout::scan::Scope;
use stakeout::tree::diff;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    match &arguments[..] {
        [figure, root] => {
            let figures = measure(figure, Path::new(root));
            println!("{}", figures.map(|figure| figure.to_string()).join(" "));
        }
        _ => table(),
    }
}

/// Two figures of the tree at `root`, a floor and what stands on it: microseconds or bytes.
fn measure(figure: &str, root: &Path) -> [f64; 2] {
    match figure {
        "rescan" => {
            // On one core both, since two that share their caches count more time for the same
            // work; and by turns, since the machine is now faster and now slower.
            keep_to_one_core();
            let floor = ground::Floor::new(root).expect("a tree");
            let mut scanner = settled(root);
            medians(|| floor.rescan(|work| cpu(work)), || cpu(|| _ = scanner.look()))
        }
        "scaling" => {
            let mut scanner = settled(root);
            let all = median(|| wall(|| _ = scanner.look()));
            keep_to_one_core();
            let mut scanner = settled(root);
            [all, median(|| wall(|| _ = scanner.look()))]
        }
        "first" => {
            medians(|| wall(|| _ = ground::bare_walk(root)), || first_look(root, |work| wall(work)))
        }
        "first-cpu" => {
            medians(|| cpu(|| _ = ground::bare_walk(root)), || first_look(root, |work| cpu(work)))
        }
        "baseline" => {
            let read = || {
                let mut scanner = ground::scanner(root);
                scanner.look();
                wall(|| while scanner.read_baseline() {})
            };
            medians(|| wall(|| _ = ground::bare_hash(root)), read)
        }
        "b3sum" => {
            let read = || {
                let mut scanner = ground::scanner(root);
                scanner.look();
                wall(|| while scanner.read_baseline() {})
            };
            medians(|| wall(|| b3sum(root)), read)
        }
        "memory" => {
            let before = memory("VmRSS");
            let scanner = settled(root);
            let after = memory("VmRSS");
            drop(scanner);
            [after - before, memory("VmHWM") - before]
        }
        "growth" => {
            let mut scanner = settled(root);
            (0..1_000).for_each(|_| _ = scanner.look());
            let before = memory("VmRSS");
            (0..10_000).for_each(|_| _ = scanner.look());
            [before, memory("VmRSS") - before]
        }
        // Microseconds, not for each file: a look at one directory of the tree when nothing changed
        // there, and when a file was edited, with the difference found.
        "hot" => {
            let mut scanner = settled(root);
            let directory = root.join("package_000/module_00/part_0");
            let dirs = BTreeSet::from([Arc::from(directory.as_path())]);
            let scope = Scope::Part { mounts: BTreeSet::new(), dirs };
            let scanner = RefCell::new(&mut scanner);
            let quiet = || cpu(|| _ = scanner.borrow_mut().look_at(&scope));
            let mut edits = 0;
            let edited = || {
                edits += 1;
                let text = format!("const EDIT: usize = {edits};\n");
                fs::write(directory.join("source_0.rs"), text).expect("an edit");
                cpu(|| {
                    let mut scanner = scanner.borrow_mut();
                    let before = scanner.snapshot().clone();
                    let after = scanner.look_at(&scope).snapshot;
                    assert_eq!(diff(&before, &after).len(), 1);
                })
            };
            medians(quiet, edited)
        }
        // For strace: so many more looks, so many more system calls.
        "look-1" | "look-11" => {
            let mut scanner = settled(root);
            let looks = if figure == "look-1" { 1 } else { 11 };
            (0..looks).for_each(|_| _ = scanner.look());
            [0.0; 2]
        }
        other => panic!("no figure is called {other}"),
    }
}

/// What the first look of a new scanner takes by `clock`.
fn first_look(root: &Path, clock: impl Fn(&mut dyn FnMut()) -> Duration) -> Duration {
    let mut scanner = None;
    let took = clock(&mut || _ = scanner.insert(ground::scanner(root)).look());
    // Forgetting it all again is no part of it.
    drop(scanner);
    took
}

/// A scanner that has read everything and proven every stamp, as it is after some seconds.
fn settled(root: &Path) -> stakeout::scan::Scanner {
    let mut scanner = ground::scanner(root);
    scanner.look();
    while scanner.read_baseline() {}
    // Longer than any granule, so that one look proves all and their number is always the same.
    std::thread::sleep(Duration::from_millis(2100));
    while let Some(due) = scanner.next_proof() {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        scanner.look();
    }
    scanner
}

fn table() {
    let sizes = env::var("BENCH_FILES").unwrap_or_else(|_| "1000 10000 100000 1000000".into());
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trees");
    let trees = env::var_os("BENCH_DIR").map_or(target, PathBuf::from);
    let has_b3sum = Command::new("b3sum").arg("--version").output().is_ok();
    println!("Per file; each ratio to the floor before it.\n");
    println!(
        "| files | stat floor, CPU | rescan, CPU | ratio | calls | all cores | one core | ratio \
         | bare walk | first look | ratio | bare walk, CPU | first look, CPU | ratio \
         | bare hash | baseline | ratio | b3sum | baseline | ratio | memory | peak |"
    );
    println!("|{}", "--:|".repeat(22));
    let mut rescans = Vec::new();
    for size in sizes.split_whitespace() {
        let files: f64 = size.parse().expect("a number of files");
        let root = trees.join(size);
        ground::make_tree(&root, files as usize).expect("a tree to measure");
        let shown = |[floor, ours]: [f64; 2]| {
            format!("{:.2} µs | {:.2} µs | {:.2}", floor / files, ours / files, ours / floor)
        };
        let ratio = |name| shown(figure(name, &root));
        let rescan = figure("rescan", &root);
        rescans.push((files, rescan));
        let [memory, peak] = figure("memory", &root).map(|bytes| bytes / files);
        // strace and b3sum take too long over a million files.
        let calls = if files <= 1e5 { calls(&root, files) } else { "".into() };
        println!(
            "| {size} | {} | {calls} | {} | {} | {} | {} | {} | {memory:.0} B | {peak:.0} B |",
            shown(rescan),
            ratio("scaling"),
            ratio("first"),
            ratio("first-cpu"),
            ratio("baseline"),
            if has_b3sum && files <= 1e5 { ratio("b3sum") } else { " | | ".into() },
        );
    }
    let large = rescans.iter().filter(|(files, _)| *files >= 1e4);
    for (of, name) in ["the floor", "a rescan"].into_iter().enumerate() {
        let points: Vec<_> =
            large.clone().map(|(files, cost)| (files.ln(), cost[of].ln())).collect();
        if points.len() > 1 {
            println!(
                "\nFrom 10,000 files on, {name} costs files to the power of {:.2}.",
                slope(&points)
            );
        }
    }
    for size in sizes.split_whitespace() {
        let [quiet, edited] = figure("hot", &trees.join(size));
        println!("\nOne directory of {size} files: a look {quiet:.0} µs, an edit {edited:.0} µs.");
    }
    let small = trees.join("1000");
    ground::make_tree(&small, 1_000).expect("a tree to measure");
    let [_, growth] = figure("growth", &small);
    println!("\nGrowth over 10,000 rescans of 1,000 files: {growth:.0} bytes.");
}

/// The slope of the straight line that fits the points best (least squares): of logarithms, the
/// power with which one figure grows with the other. 1 is linear.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    covariance / variance
}

/// Hashes every file of a tree by b3sum(1).
fn b3sum(root: &Path) {
    let script = "find \"$1\" -type f -print0 | xargs -0 b3sum > /dev/null";
    let status = Command::new("sh").args(["-c", script, "sh"]).arg(root).status();
    assert!(status.is_ok_and(|status| status.success()), "b3sum failed");
}

/// A figure and its floor, taken by a fresh process.
fn figure(name: &str, root: &Path) -> [f64; 2] {
    let output = Command::new(env::current_exe().expect("ourselves")).arg(name).arg(root).output();
    let output = output.expect("a process for a figure");
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    figures.try_into().unwrap_or_else(|_| {
        panic!("{name} of {}: {}", root.display(), String::from_utf8_lossy(&output.stderr))
    })
}

/// How many system calls a rescan makes for each file, counted by strace(1).
fn calls(root: &Path, files: f64) -> String {
    let count = |name: &str| -> Option<f64> {
        let exe = env::current_exe().ok()?;
        let output = Command::new("strace")
            .args(["-f", "-c", "-U", "calls,name", "-e", "signal=none"])
            .arg(exe)
            .arg(name)
            .arg(root)
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr);
        let total = text.lines().find(|line| line.trim_end().ends_with("total"))?;
        total.split_whitespace().next()?.parse().ok()
    };
    match (count("look-1"), count("look-11")) {
        (Some(one), Some(eleven)) => format!("{:.2}", (eleven - one) / 10.0 / files),
        _ => "no strace".into(),
    }
}

/// The medians of two kinds of work that are done by turns, for a second and eleven times at least,
/// or five where once takes seconds.
fn medians(mut one: impl FnMut() -> Duration, mut other: impl FnMut() -> Duration) -> [f64; 2] {
    let began = Instant::now();
    let mut times = [Vec::new(), Vec::new()];
    let is_enough = |turns: usize| match began.elapsed() {
        short if short < Duration::from_secs(1) => false,
        long if long > Duration::from_secs(10) => turns >= 5,
        _ => turns >= 11,
    };
    while !is_enough(times[0].len()) {
        times[0].push(one());
        times[1].push(other());
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    })
}

fn median(work: impl FnMut() -> Duration) -> f64 {
    medians(work, || Duration::ZERO)[0]
}

fn wall(mut work: impl FnMut()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// From here on this thread, and those that it starts, run on one core.
fn keep_to_one_core() {
    let mut first = CpuSet::new();
    let allowed = sched_getaffinity(None).expect("our cores");
    first.set((0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).expect("a core"));
    sched_setaffinity(None, &first).expect("a core of ours");
}

/// The CPU time that the whole process uses meanwhile.
fn cpu(mut work: impl FnMut()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let before = now();
    work();
    now() - before
}

/// A line of /proc/self/status, in bytes.
fn memory(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with(field)).expect("a known field");
    let kibibytes: f64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0.0);
    kibibytes * 1024.0
}
