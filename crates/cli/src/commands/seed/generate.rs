//! `seed --generate`: a synthetic load, for tables of any size.

use std::time::Duration;

use clap::Args;
use ddb_core::rate_limit::Rate;
use ddb_core::seed::{self, Loaded, Loading, Synthetic};
use ddb_core::timestamp::Timestamp;
use ddb_core::timezone::Zone;

use crate::args::{TableTarget, When, WriteArgs, no_instant};
use crate::changes::PlanArgs;
use crate::failure::Failure;
use crate::ui::Ui;
use crate::wording::plural;

const HEADING: &str = "Synthetic load";
/// How often the progress is updated.
const TICK: Duration = Duration::from_millis(100);

/// Options of a synthetic load.
#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// Load N messages in invented conversations, instead of one conversation; needs --ends-at
    #[arg(long, value_name = "N", help_heading = HEADING, value_parser = clap::value_parser!(u64).range(1..=u64::from(u32::MAX) * 1000), conflicts_with_all = ["conversation", "me", "with", "speakers", "group_uuid", "replace", "users", "database_url"])]
    generate: Option<u64>,
    /// Messages per conversation
    #[arg(long, alias = "messages-per-group", value_name = "N", help_heading = HEADING, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), requires = "generate")]
    messages_per_conversation: u32,
    /// Number of people
    #[arg(long, value_name = "N", help_heading = HEADING, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..), requires = "generate")]
    people: u32,
    /// Seed of the random numbers; the same one makes the same load
    #[arg(long, value_name = "N", help_heading = HEADING, default_value_t = 1, requires = "generate")]
    rng_seed: u64,
}

/// The load that was written, or would be.
pub(super) struct Generated {
    pub load: Synthetic,
    pub loaded: Loaded,
}

impl GenerateArgs {
    /// Checks whether a load is wanted.
    pub(super) fn is_asked(&self) -> bool {
        self.generate.is_some()
    }

    /// Returns the load, if one is wanted.
    pub(super) fn load(
        &self,
        ends_at: &When,
        zone: Zone,
        interval: Duration,
        now: Timestamp,
    ) -> Result<Option<Synthetic>, Failure> {
        let Some(messages) = self.generate else {
            return Ok(None);
        };
        let fixed = ends_at.fixed(zone);
        let fixed = fixed.map_err(|error| no_instant("--ends-at", &error))?;
        let Some(ends_at) = fixed else {
            return Err(Failure::refused(
                "--generate needs --ends-at with a time that does not move",
            )
            .hint(format!(
                "add --ends-at {}; use the same one to continue an interrupted run",
                now.date()
            )));
        };
        if ends_at > now {
            return Err(Failure::refused(format!(
                "--ends-at {ends_at} is later than now"
            )));
        }
        let load = Synthetic::new(
            messages,
            self.messages_per_conversation,
            self.people,
            self.rng_seed,
            ends_at,
            interval,
        );
        load.map(Some)
            .map_err(|error| Failure::refused(format!("--generate: {error}")))
    }

    /// Writes the missing messages of a load, or only counts them.
    pub(super) async fn run(
        &self,
        load: Synthetic,
        target: &TableTarget,
        write: &WriteArgs,
        plan: &PlanArgs,
        ui: &Ui,
    ) -> Result<Generated, Failure> {
        ui.note(&format!(
            "{} in {} of {}",
            plural(load.messages(), "message", "messages"),
            plural(load.conversations(), "conversation", "conversations"),
            plural(self.people.into(), "person", "people"),
        ));
        if plan.is_dry_run() {
            let loaded = seed::survey(&target.store, &load).await?;
            return Ok(Generated { load, loaded });
        }
        let writer = target.allow_writing(write)?;
        let loading = Loading::default();
        let mut progress = ui.progress("messages", Some(load.messages()));
        let mut tick = tokio::time::interval(TICK);
        let rate = plan.max_wcu().map(Rate::new);
        {
            let mut writing = std::pin::pin!(seed::load(&writer, &load, rate, &loading));
            loop {
                tokio::select! {
                    done = &mut writing => break done?,
                    _ = tick.tick() => {
                        let loaded = loading.loaded();
                        progress.set(loaded.written + loaded.unchanged);
                    }
                }
            }
        }
        let loaded = loading.loaded();
        Ok(Generated { load, loaded })
    }
}
