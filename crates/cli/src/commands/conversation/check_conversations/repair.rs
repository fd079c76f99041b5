//! Repairs what a check found: the plan, and its result.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ddb_core::changes::{Outcome, Packer, PlanWriter, Seen, Step};
use ddb_core::conversation::{Finding, Planned, RepairPlanner, RowRules, Rule, rename};
use ddb_core::item::{ItemView, RawItem};
use ddb_core::key::{ConversationId, UserId};
use ddb_core::timezone::Zone;
use ddb_people::users::Users;
use futures::{StreamExt, TryStreamExt};

use super::{Check, Found};
use crate::changes::{Ground, Job, PlanKind};
use crate::failure::Failure;
use crate::runner::Context;
use crate::ui::Ui;

/// The subject of a step: rows, times, or the names of everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum About {
    Rows(ConversationId),
    Times(ConversationId),
    Names,
}

impl About {
    fn of_step(step: &Step) -> Option<Self> {
        if step.why == Rule::NameStale.as_str() {
            return Some(Self::Names);
        }
        match step.why == Rule::TimeForm.as_str() {
            true => step.conversation.map(Self::Times),
            false => step.conversation.map(Self::Rows),
        }
    }

    fn of_finding(finding: &Finding) -> Option<Self> {
        match finding.rule? {
            Rule::NameStale => Some(Self::Names),
            Rule::TimeForm => finding.conversation.map(Self::Times),
            rule if rule.is_about_rows() => finding.conversation.map(Self::Rows),
            _ => None,
        }
    }
}

/// What was repaired.
#[derive(Debug, Default)]
pub(super) struct Repaired {
    /// The number of steps that are still to be carried out.
    open: HashMap<About, u64>,
    /// What could not be repaired.
    left: HashSet<About>,
}

impl Repaired {
    fn plan(&mut self, step: &Step) {
        if let Some(about) = About::of_step(step) {
            *self.open.entry(about).or_default() += 1;
        }
    }

    fn see(&mut self, seen: &Seen<'_>, ui: &Ui) {
        match seen {
            Seen::Planned(step) => self.plan(step),
            Seen::PlannedAgain(step) => {
                ui.note(&format!(
                    "{}: its items changed; it is planned again",
                    name(step)
                ));
                self.end(step);
            }
            Seen::Ended(_, step, outcome) => {
                self.end(step);
                let (Outcome::Left(left), Some(about)) = (outcome, About::of_step(step)) else {
                    return;
                };
                if let Some(left) = left.first() {
                    ui.warn(&format!("{} is left as it is: {}", name(step), left.why));
                }
                self.left.insert(about);
            }
        }
    }

    fn end(&mut self, step: &Step) {
        let about = About::of_step(step);
        if let Some(open) = about.and_then(|about| self.open.get_mut(&about)) {
            *open = open.saturating_sub(1);
        }
    }

    /// Checks whether the fault of a finding was repaired.
    pub(super) fn has(&self, finding: &Finding) -> bool {
        About::of_finding(finding).is_some_and(|about| self.is_done(about))
    }

    fn is_done(&self, about: About) -> bool {
        self.open.get(&about) == Some(&0) && !self.left.contains(&about)
    }

    /// Returns the number of subjects that could not be repaired.
    pub(super) fn left(&self) -> u64 {
        self.left.len() as u64
    }
}

fn name(step: &Step) -> String {
    let conversation = step.conversation.map(|id| id.to_string());
    conversation.unwrap_or_else(|| step.why.to_string())
}

type Planner<'a> = RepairPlanner<'a, Option<&'a Users>>;

impl Check<'_> {
    /// Plans the repair, prints it, and carries it out if that is allowed. Returns what was done, and the failure that
    /// ended it, if any.
    pub(super) async fn repair(
        &self,
        found: Found,
        context: &Context,
    ) -> (Repaired, Option<Failure>) {
        let mut repaired = Repaired::default();
        let ended = self.try_repair(found, context, &mut repaired).await;
        (repaired, ended.err())
    }

    async fn try_repair(
        &self,
        found: Found,
        context: &Context,
        repaired: &mut Repaired,
    ) -> Result<(), Failure> {
        let options = self.options;
        let ground = Ground::of(&self.target.store, options.words()).await?;
        let names = match options.names {
            true => found.names,
            false => HashMap::new(),
        };
        let rules = RowRules {
            missing: options.wants(Rule::RowMissing),
            doubled: options.wants(Rule::RowDoubled),
            behind: options.wants(Rule::RowBehind),
        };
        let size = options.plan.step_size(&ground);
        let has_names = !names.is_empty();
        let mut planner = RepairPlanner::new(&self.target.store, &self.users, rules, size, names);
        if let Some(zone) = options.zone() {
            planner = planner.with_times(zone);
        }
        let mut plan = ground.plan()?;
        for (conversation, people) in &found.rows {
            let steps = match planner.rows(*conversation, people).await {
                Ok(steps) => steps,
                Err(error) if error.is_of_one_conversation() => {
                    self.ui
                        .warn(&format!("{conversation} is left as it is: {error}"));
                    repaired.left.insert(About::Rows(*conversation));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            // If somebody else repaired it in the meantime, there are no steps.
            repaired.open.entry(About::Rows(*conversation)).or_default();
            for step in steps {
                repaired.plan(&step);
                plan.push(&step)?;
            }
        }
        if let Some(zone) = options.zone() {
            self.plan_times(&planner, zone, &found.times, &mut plan, repaired)
                .await?;
        }
        if has_names {
            self.plan_names(&planner, Packer::new(size), &mut plan, repaired)
                .await?;
        }
        let plan = plan.end()?;
        let job = Job {
            target: self.target,
            ground: &ground,
            plan: &plan,
            allow: &|| self.target.allow_writing(&options.write),
            kind: PlanKind::Made,
            ui: self.ui,
            context,
        };
        let see = |seen: Seen<'_>| repaired.see(&seen, self.ui);
        options.plan.carry_out(job, &planner, see).await?;
        Ok(())
    }

    /// Plans to rewrite the older times of conversations.
    async fn plan_times(
        &self,
        planner: &Planner<'_>,
        zone: Zone,
        conversations: &[(ConversationId, Vec<UserId>)],
        plan: &mut PlanWriter,
        repaired: &mut Repaired,
    ) -> Result<(), Failure> {
        let total = conversations.len() as u64;
        let (mut progress, mut ended) = (self.ui.progress("conversations", Some(total)), 0);
        let mut pieces = std::pin::pin!(planner.times(conversations, zone));
        while let Some(piece) = pieces.next().await {
            match piece {
                Planned::Step(step) => {
                    repaired.plan(&step);
                    plan.push(&step)?;
                    continue;
                }
                Planned::NeverWas {
                    conversation,
                    pk,
                    sk,
                } => {
                    self.ui.warn(&format!(
                        "{pk} {sk} is left as it is: that time did not exist in {zone}"
                    ));
                    repaired.left.insert(About::Times(conversation));
                    continue;
                }
                Planned::Whole(conversation) => {
                    repaired.open.entry(About::Times(conversation)).or_default();
                }
                Planned::Failed(conversation, error) if error.is_of_one_conversation() => {
                    self.ui
                        .warn(&format!("{conversation} is left as it is: {error}"));
                    repaired.left.insert(About::Times(conversation));
                }
                Planned::Failed(_, error) => return Err(error.into()),
            }
            ended += 1;
            progress.set(ended);
        }
        drop(progress);
        Ok(())
    }

    /// Plans to update the names of people in every item that has old ones.
    async fn plan_names(
        &self,
        planner: &Planner<'_>,
        mut packer: Packer,
        plan: &mut PlanWriter,
        repaired: &mut Repaired,
    ) -> Result<(), Failure> {
        let stale = Arc::new(planner.stale_people());
        let pages = self.target.store.scan(
            self.options.scan(),
            move |items: &mut Vec<RawItem>, item| {
                if stale.is_named_in(item) {
                    items.push(item.to_raw());
                }
            },
        );
        let mut pages = std::pin::pin!(pages);
        let mut push = |step: Option<Step>| -> Result<(), Failure> {
            if let Some(step) = step {
                repaired.plan(&step);
                plan.push(&step)?;
            }
            Ok(())
        };
        while let Some(page) = pages.try_next().await? {
            for item in page.value {
                let stale = planner.stale(&ItemView::from(&item));
                if let Some((conversation, person)) = stale {
                    let change = rename(item, &person);
                    let why = Rule::NameStale.as_str();
                    push(packer.add(Some(conversation), why, vec![change]))?;
                }
            }
        }
        push(packer.finish())?;
        repaired.open.entry(About::Names).or_default();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run that fails between the steps of a conversation does not report it as repaired.
    #[test]
    fn a_conversation_is_repaired_once_all_its_steps_are_carried_out() {
        let conversation = ConversationId::random();
        let about = About::Rows(conversation);
        let step = Step {
            conversation: Some(conversation),
            why: Rule::RowBehind.as_str().into(),
            changes: Vec::new(),
        };
        let ui = Ui::errors_only();
        let mut repaired = Repaired::default();
        repaired.plan(&step);
        repaired.plan(&step);
        for (seen, done) in [
            (Seen::PlannedAgain(&step), false),
            (Seen::Planned(&step), false),
            (Seen::Ended(1, &step, &Outcome::Done), false),
            (Seen::Ended(2, &step, &Outcome::FoundDone), true),
            (Seen::Planned(&step), false),
            (Seen::Ended(3, &step, &Outcome::Left(Vec::new())), false),
        ] {
            repaired.see(&seen, &ui);
            assert_eq!(repaired.is_done(about), done, "{seen:?}");
        }
        assert_eq!(repaired.left(), 1);
    }
}
