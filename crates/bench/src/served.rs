//! Measures what requests cost the server that answers them, by the operating system's own accounting. Linux only.

use std::io;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::header::{COOKIE, SET_COOKIE};
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::measure::Cost;

/// Requests per second.
const RATE: u64 = 200;
/// The unit of times in /proc: a hundredth of a second on all systems that this runs on (see `sysconf(_SC_CLK_TCK)`).
const TICK: Duration = Duration::from_millis(10);

/// Requests a page `requests` times, 200 times per second, and returns what that cost the process that serves it.
///
/// # Errors
///
/// If an answer is an error, or if the system does not report what a process costs.
pub fn ask(process: u32, url: &str, requests: u64) -> io::Result<Cost> {
    let url: Uri = url.parse().map_err(io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // The first one warms up.
    runtime.block_on(send(&url, 1))?;
    let (begun, before) = (Instant::now(), cpu(process)?);
    runtime.block_on(send(&url, requests))?;
    Ok(Cost {
        wall: begun.elapsed(),
        cpu: cpu(process)?.saturating_sub(before),
        peak: peak(process)?,
    })
}

async fn send(url: &Uri, requests: u64) -> io::Result<()> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let mut turns = tokio::time::interval(Duration::from_secs(1) / RATE as u32);
    for _ in 0..requests {
        turns.tick().await;
        let answer = client.get(url.clone()).await.map_err(io::Error::other)?;
        if !answer.status().is_success() {
            return Err(io::Error::other(format!("{url}: {}", answer.status())));
        }
        answer.collect().await.map_err(io::Error::other)?;
    }
    Ok(())
}

/// Opens a conversation of `ddb web` by its link and waits for news as a page does. Returns what that time cost
/// each of the processes, given by their ids.
///
/// # Errors
///
/// If the page or its events are refused, or if the system does not report what a process costs.
pub fn watch(
    link: &str,
    conversation: &str,
    processes: &[u32],
    span: Duration,
) -> io::Result<Vec<Cost>> {
    let link: Uri = link.parse().map_err(io::Error::other)?;
    let host = link.authority().map(|host| host.as_str());
    let events = format!(
        "http://{}/c/{conversation}/events",
        host.unwrap_or_default()
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let entry = client.get(link).await.map_err(io::Error::other)?;
        let cookie = entry.headers().get(SET_COOKIE);
        let cookie = cookie.and_then(|cookie| cookie.to_str().ok()?.split(';').next());
        let cookie = cookie.ok_or_else(|| io::Error::other("a link that gives no cookie"))?;
        let request = Request::get(&events).header(COOKIE, cookie);
        let request = request.body(Empty::new()).map_err(io::Error::other)?;
        let open = client.request(request).await.map_err(io::Error::other)?;
        if !open.status().is_success() {
            return Err(io::Error::other(format!("{events}: {}", open.status())));
        }
        // In this time, the page first looks at what is there.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = || processes.iter().map(|process| cpu(*process));
        let before = now().collect::<io::Result<Vec<_>>>()?;
        tokio::time::sleep(span).await;
        let after = now().collect::<io::Result<Vec<_>>>()?;
        drop(open);
        let costs = before.into_iter().zip(after).zip(processes);
        costs
            .map(|((before, after), process)| {
                Ok(Cost {
                    wall: span,
                    cpu: after.saturating_sub(before),
                    peak: peak(*process)?,
                })
            })
            .collect()
    })
}

/// Returns the CPU time of a process so far: `utime` and `stime` of proc_pid_stat(5).
fn cpu(process: u32) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program, in brackets, may contain anything.
    let fields = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: u32 = times.filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

/// Returns the largest resident set of a process, in bytes: `VmHWM` of proc_pid_status(5), in kB.
fn peak(process: u32) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    Ok(kilobytes.unwrap_or(0) * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_some_time_and_memory() {
        let begun = cpu(std::process::id()).unwrap();
        let mut sum = 0u64;
        while cpu(std::process::id()).unwrap() <= begun {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(peak(std::process::id()).unwrap() > 1024 * 1024);
    }
}
