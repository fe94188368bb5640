//! The text format of Prometheus (exposition format 0.0.4), of what [`Status`] says.

use std::fmt::Write;

use crate::control::{Builds, Histogram, Restarts, Service, Status};

/// All that is counted and measured.
pub fn text(status: &Status) -> String {
    let mut page = Page(String::new());
    let one = [status.all.clone()];
    let services = if status.services.is_empty() { &one[..] } else { &status.services };
    page.metric("info", "gauge", "Always 1; which version this is.");
    page.sample("info", &[("version", &status.version)], 1);
    page.metric("uptime_seconds", "gauge", "Since stakeout was started.");
    page.sample("uptime_seconds", &[], seconds(status.up_ms));
    page.each("ready", "gauge", "Whether it does what it is there for.", services, |it| {
        u8::from(it.ready).into()
    });
    page.each("building", "gauge", "Whether a build runs.", services, |it| {
        u8::from(it.building).into()
    });
    page.each("generations_total", "counter", "Change sets.", services, |it| it.generation as f64);
    page.metric("builds_total", "counter", "Builds that came to an end, by what came of them.");
    for service in services {
        let Builds { done, failed, cancelled } = service.builds;
        for (result, count) in [("done", done), ("failed", failed), ("cancelled", cancelled)] {
            let labels = [("service", name(service)), ("result", result)];
            page.sample("builds_total", &labels, count);
        }
    }
    page.metric("restarts_total", "counter", "Starts but the first, by what led to them.");
    for service in services {
        let restarts = service.program.as_ref().map(|it| it.restarts).unwrap_or_default();
        let Restarts { by_change, by_failure, by_request } = restarts;
        let causes = [("change", by_change), ("failure", by_failure), ("request", by_request)];
        for (cause, count) in causes {
            let labels = [("service", name(service)), ("cause", cause)];
            page.sample("restarts_total", &labels, count);
        }
    }
    let about = "From a change until it was noticed, where that is known.";
    page.histogram("detection_seconds", about, services, |it| &it.detection);
    let about = "From a change until the program was ready again.";
    page.histogram("restart_seconds", about, services, |it| &it.restarting);
    if let Some(watching) = &status.watching {
        page.metric("files", "gauge", "Files when the tree was first seen.");
        page.sample("files", &[], watching.files);
        page.metric("scans_total", "counter", "Looks at the tree, or at parts of it.");
        page.sample("scans_total", &[], watching.looks);
        page.metric("scan_cpu_seconds_total", "counter", "What they have cost of one core.");
        page.sample("scan_cpu_seconds_total", &[], seconds(watching.looks_cpu_ms));
        page.metric("unreadable_paths", "gauge", "Paths that cannot be read.");
        page.sample("unreadable_paths", &[], watching.unreadable.len());
        page.metric("silent_roots", "gauge", "Roots that do not answer.");
        page.sample("silent_roots", &[], watching.silent.len());
    }
    page.0
}

struct Page(String);

impl Page {
    fn metric(&mut self, name: &str, kind: &str, about: &str) {
        // Writing to a string does not fail.
        _ = writeln!(self.0, "# HELP stakeout_{name} {about}\n# TYPE stakeout_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels = labels.iter().filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|(name, value)| format!("{name}=\"{}\"", escape(value)));
        let labels: Vec<String> = labels.collect();
        _ = match labels.as_slice() {
            [] => writeln!(self.0, "stakeout_{name} {value}"),
            labels => writeln!(self.0, "stakeout_{name}{{{}}} {value}", labels.join(",")),
        };
    }

    fn each(
        &mut self,
        metric: &str,
        kind: &str,
        about: &str,
        services: &[Service],
        value: impl Fn(&Service) -> f64,
    ) {
        self.metric(metric, kind, about);
        for service in services {
            self.sample(metric, &[("service", name(service))], value(service));
        }
    }

    fn histogram(
        &mut self,
        metric: &str,
        about: &str,
        services: &[Service],
        of: impl Fn(&Service) -> &Histogram,
    ) {
        self.metric(metric, "histogram", about);
        for service in services {
            let histogram = of(service);
            let bounds = Histogram::BOUNDS_MS.iter().map(|ms| seconds(*ms).to_string());
            let bounds = bounds.chain(["+Inf".to_owned()]);
            let mut count = 0;
            for (bound, more) in bounds.zip(histogram.counts) {
                count += more;
                let labels = [("service", name(service)), ("le", &bound)];
                self.sample(&format!("{metric}_bucket"), &labels, count);
            }
            let labels = [("service", name(service))];
            self.sample(&format!("{metric}_sum"), &labels, seconds(histogram.sum_ms));
            self.sample(&format!("{metric}_count"), &labels, count);
        }
    }
}

fn name(service: &Service) -> &str {
    service.name.as_deref().unwrap_or_default()
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_up() {
        let mut histogram = Histogram::default();
        [5, 10, 11, 60_000].into_iter().for_each(|ms| histogram.add(ms));
        let mut service = Service::all(&[]);
        service.restarting = histogram;
        service.name = Some("a\"b".into());
        let mut page = Page(String::new());
        page.histogram("x", "About.", &[service], |it| &it.restarting);
        for line in [
            "# TYPE stakeout_x histogram",
            "stakeout_x_bucket{service=\"a\\\"b\",le=\"0.01\"} 2",
            "stakeout_x_bucket{service=\"a\\\"b\",le=\"30\"} 3",
            "stakeout_x_bucket{service=\"a\\\"b\",le=\"+Inf\"} 4",
            "stakeout_x_sum{service=\"a\\\"b\"} 60.026",
            "stakeout_x_count{service=\"a\\\"b\"} 4",
        ] {
            assert!(page.0.lines().any(|it| it == line), "{line} in {}", page.0);
        }
    }
}
