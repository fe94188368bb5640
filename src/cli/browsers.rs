//! Options for what browsers see: the proxy in front of the program, and stakeout's own pages.

use std::net::TcpListener;
use std::time::Duration;

use clap::Args;

use super::values::period;
use crate::dispatch::Web;
use crate::ui::{Kind, Line};
use crate::web::{Route, parse_listen};

/// What browsers see.
#[derive(Debug, Args)]
#[command(next_help_heading = "Browsers")]
pub struct Browsers {
    /// Listen there for browsers, and pass on to where the program listens, for example 8080=3000:
    /// requests wait while it is built and started, pages load again by themselves, and what went
    /// wrong is shown in them
    ///
    /// Each is PORT or HOST:PORT. Without a host, only this machine is reached; in a container it is 0.0.0.0:8080=3000. The
    /// program may also listen on unix:PATH. May be given several times; in the variable, they are
    /// separated by commas.
    #[arg(
        long,
        value_name = "LISTEN=UPSTREAM",
        env = "STAKEOUT_PROXY",
        value_delimiter = ',',
        value_parser = Route::parse
    )]
    pub proxy: Vec<Route>,

    /// How long requests wait for the program
    #[arg(
        long,
        value_name = "TIME",
        env = "STAKEOUT_PROXY_WAIT",
        default_value = "30s",
        value_parser = period
    )]
    pub proxy_wait: Duration,

    /// Of several services, the one that browsers see [default: all of them]
    #[arg(long, value_name = "SERVICE", env = "STAKEOUT_PROXY_SERVICE")]
    pub proxy_service: Option<String>,

    /// Show how stakeout is at this PORT or HOST:PORT: a page, /healthz, /readyz, /metrics and
    /// /events; the proxy has the same below /__stakeout/
    #[arg(long, value_name = "ADDRESS", env = "STAKEOUT_HTTP", value_parser = parse_listen)]
    pub http: Option<String>,

    /// A name by which browsers reach this machine, besides localhost and IP addresses, so that they
    /// are shown stakeout's own pages
    ///
    /// May be given several times; in the variable, they are separated by commas.
    #[arg(long, value_name = "NAME", env = "STAKEOUT_ALLOW_HOST", value_delimiter = ',')]
    pub allow_host: Vec<String>,
}

/// What is said of what browsers see: a line for each address.
pub fn lines(web: &Web) -> Vec<Line> {
    let line = |listener: &TcpListener, what: String| {
        let Ok(address) = listener.local_addr() else { return None };
        let line = format!("http://{address} {what}");
        Some(Line::event(Kind::Browsers, line).with("address", address.to_string()))
    };
    let proxies = web.setup.proxies.iter().filter_map(|(listener, upstream)| {
        let line = line(listener, format!("shows what listens on {upstream}"))?;
        Some(line.with("upstream", upstream.to_string()))
    });
    let pages = web.setup.pages.iter();
    let pages = pages.filter_map(|listener| line(listener, "shows how stakeout is".to_owned()));
    proxies.chain(pages).collect()
}
