//! What a rescan costs on a share where each request takes half a millisecond: its floor is one
//! thread that asks for one file after the other. Needs root and /dev/fuse.
//!
//! `cargo bench --bench share`

#[allow(dead_code, reason = "the other bench uses the rest")]
mod ground;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/hostile/share.rs"]
mod share;

use std::time::{Duration, Instant};

use share::{Faults, Share};

const LATENCY: Duration = Duration::from_micros(500);

fn main() {
    let Some(share) = Share::mount() else { return };
    println!("| files | one thread | rescan | times as fast | requests at once |");
    println!("|--:|--:|--:|--:|--:|");
    for files in [1_000, 4_000] {
        ground::make_tree(&share.behind(""), files).expect("a tree to measure");
        let floor = ground::Floor::new(share.path()).expect("a tree");
        let mut scanner = ground::scanner(share.path());
        scanner.look();
        while scanner.read_baseline() {}
        while let Some(due) = scanner.next_proof() {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            scanner.look();
        }
        share.set(Faults { latency: LATENCY, ..Faults::default() });
        let one = floor.rescan(|work| time(work));
        let all = median(|| _ = scanner.look());
        share.set(Faults::default());
        println!(
            "| {files} | {one:.0?} | {all:.0?} | {:.1} | {} |",
            one.as_secs_f64() / all.as_secs_f64(),
            share.most_at_once()
        );
        std::fs::remove_file(share.behind(".made")).expect("the mark of a made tree");
    }
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times = [(); 3].map(|()| time(&mut work));
    times.sort_unstable();
    times[1]
}

fn time(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}
