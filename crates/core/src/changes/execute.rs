//! Carrying out a plan. Each step is written to the receipt before its transaction is sent.

use futures::future::join_all;

use super::error::ChangesError;
use super::line::{Left, Outcome};
use super::plan::Plan;
use super::receipt::Receipt;
use super::step::Step;
use crate::error::Error;
use crate::rate_limit::Rate;
use crate::store::{Found, ItemChange, Transacted, Writer};

/// The most steps in flight at once. They are consecutive steps of the plan, and belong to different conversations, so
/// their order does not matter.
pub const AT_ONCE: usize = 8;
/// How often a step is planned again if its items keep changing.
const PLANS: u32 = 5;

/// Plans a step again after its items changed.
pub trait Replan {
    /// Returns steps that do what `step` was meant to do: an empty list if nothing is left to do, `None` if the step is
    /// never planned again.
    fn again(&self, step: &Step) -> impl Future<Output = Result<Option<Vec<Step>>, Error>> + Send;

    /// Checks again after a step was carried out, and returns the steps that are still needed.
    fn after(&self, _step: &Step) -> impl Future<Output = Result<Vec<Step>, Error>> + Send {
        std::future::ready(Ok(Vec::new()))
    }
}

/// Never plans a step again: a step whose items changed is left.
#[derive(Debug, Clone, Copy)]
pub struct Never;

impl Replan for Never {
    async fn again(&self, _step: &Step) -> Result<Option<Vec<Step>>, Error> {
        Ok(None)
    }
}

/// An event while a plan is carried out.
#[derive(Debug)]
pub enum Seen<'a> {
    /// A step ended.
    Ended(u64, &'a Step, &'a Outcome),
    /// A step's items changed, and it was planned again. The steps that replace it follow.
    PlannedAgain(&'a Step),
    /// A step was added to the plan: it replaces one, or finishes what one began.
    Planned(&'a Step),
}

/// The totals of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps that were carried out, or were already done.
    pub done: u64,
    /// Changes made by these steps.
    pub changes: u64,
    /// Steps that were left, and not planned again.
    pub left: u64,
}

/// Carries out steps, and writes the receipt.
#[derive(Debug)]
pub struct Executor<'w> {
    writer: &'w Writer,
    receipt: Receipt,
    rate: Option<Rate>,
    tally: Tally,
}

impl<'w> Executor<'w> {
    /// Makes an executor. `rate` limits the write capacity units per second.
    pub fn new(writer: &'w Writer, receipt: Receipt, rate: Option<Rate>) -> Self {
        Self {
            writer,
            receipt,
            rate,
            tally: Tally::default(),
        }
    }

    /// Returns the totals so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Returns the receipt.
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Finishes the steps that were in flight when an earlier run ended: those that were not carried out are carried
    /// out now, unless their items changed.
    ///
    /// # Errors
    ///
    /// If a request fails, or the receipt cannot be written.
    pub async fn finish_open(&mut self) -> Result<(), ChangesError> {
        for (number, step) in self.receipt.take_open() {
            let (outcome, _) = self.send(&step).await?;
            self.receipt.outcome(number, &outcome)?;
            self.count(&step, &outcome);
        }
        Ok(())
    }

    /// Carries out a plan, except for its first `skip` steps.
    ///
    /// # Errors
    ///
    /// If a request fails, or the receipt cannot be written. The next run can then continue.
    pub async fn carry_out(
        &mut self,
        plan: &Plan,
        skip: u64,
        replan: &impl Replan,
        mut see: impl FnMut(Seen<'_>),
    ) -> Result<(), ChangesError> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let mut steps = plan.steps()?.skip(skip).peekable();
        let mut batch: Vec<Step> = Vec::new();
        while let Some(step) = steps.next() {
            batch.push(step?);
            let fits = |next: &Step| {
                batch.len() < AT_ONCE && batch.iter().all(|step| step.is_apart_from(next))
            };
            if let Some(Ok(next)) = steps.peek()
                && fits(next)
            {
                continue;
            }
            Box::pin(self.send_all(std::mem::take(&mut batch), replan, &mut see)).await?;
        }
        Ok(())
    }

    /// Ends the receipt, and returns the totals.
    ///
    /// # Errors
    ///
    /// If the receipt cannot be written.
    pub fn end(mut self) -> Result<Tally, ChangesError> {
        self.receipt.end(self.tally.left == 0)?;
        Ok(self.tally)
    }

    fn count(&mut self, step: &Step, outcome: &Outcome) {
        match outcome {
            Outcome::Done | Outcome::FoundDone => {
                let changes = step.changes.iter().filter(|change| !change.is_check());
                self.tally.done += 1;
                self.tally.changes += changes.count() as u64;
            }
            Outcome::Left(_) => self.tally.left += 1,
        }
    }

    async fn send_all(
        &mut self,
        steps: Vec<Step>,
        replan: &impl Replan,
        see: &mut impl FnMut(Seen<'_>),
    ) -> Result<(), ChangesError> {
        let outcomes = self.journal_and_send(&steps).await?;
        for (step, ended) in steps.into_iter().zip(outcomes) {
            self.settle(step, ended, replan, see).await?;
        }
        Ok(())
    }

    /// Handles the outcome of a step. A step whose items changed is planned again, and so are the steps that replace
    /// it, at most [`PLANS`] times.
    async fn settle(
        &mut self,
        step: Step,
        ended: Ended,
        replan: &impl Replan,
        see: &mut impl FnMut(Seen<'_>),
    ) -> Result<(), ChangesError> {
        let mut ended = vec![(step, ended)];
        for attempt in 0..=PLANS {
            let mut next = Vec::new();
            for (step, end) in std::mem::take(&mut ended) {
                let Ended {
                    number,
                    outcome,
                    may_change,
                } = end;
                let is_left = matches!(outcome, Outcome::Left(_));
                let again = match is_left && may_change && attempt < PLANS {
                    true => replan.again(&step).await?,
                    false => None,
                };
                let added = if let Some(steps) = again {
                    see(Seen::PlannedAgain(&step));
                    steps
                } else {
                    see(Seen::Ended(number, &step, &outcome));
                    self.count(&step, &outcome);
                    match is_left || attempt == PLANS {
                        true => Vec::new(),
                        false => replan.after(&step).await?,
                    }
                };
                added.iter().for_each(|step| see(Seen::Planned(step)));
                next.extend(added);
            }
            for step in next {
                let outcomes = self.journal_and_send(std::slice::from_ref(&step)).await?;
                ended.extend(outcomes.into_iter().map(|end| (step.clone(), end)));
            }
            if ended.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Writes all steps to disk, then sends them at once. A step that fails for a reason that concerns all of them
    /// stays open in the receipt.
    async fn journal_and_send(&mut self, steps: &[Step]) -> Result<Vec<Ended>, ChangesError> {
        let numbers = steps.iter().map(|step| self.receipt.step(step));
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>()?;
        self.receipt.sync()?;
        let sent = join_all(steps.iter().map(|step| self.send(step))).await;
        let mut outcomes = Vec::new();
        let mut failure = None;
        for (number, outcome) in numbers.into_iter().zip(sent) {
            match outcome {
                Ok((outcome, may_change)) => {
                    self.receipt.outcome(number, &outcome)?;
                    outcomes.push(Ended {
                        number,
                        outcome,
                        may_change,
                    });
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        match failure {
            None => Ok(outcomes),
            Some(error) => {
                let done = outcomes.iter().map(|end| &end.outcome);
                steps
                    .iter()
                    .zip(done)
                    .for_each(|(step, end)| self.count(step, end));
                Err(error.into())
            }
        }
    }

    /// Sends a step. Returns its outcome, and whether planning it again may help.
    async fn send(&self, step: &Step) -> Result<(Outcome, bool), Error> {
        if let Some(rate) = &self.rate {
            rate.reserve(step.units() as f64).await;
        }
        let refused = match self.writer.change_items(&step.changes).await {
            Ok(Transacted::Done) => return Ok((Outcome::Done, false)),
            Ok(Transacted::Refused(places)) => places,
            Err(error) if error.is_of_one_conversation() => {
                let first = step.changes.iter().take(1);
                let left = first.map(|change| left(change, error.to_string()));
                return Ok((Outcome::Left(left.collect()), !error.is_lasting()));
            }
            Err(error) => return Err(error),
        };
        let why = || "it was changed meanwhile".to_owned();
        let mut all_done = true;
        let mut changed = Vec::new();
        for (place, change) in step.changes.iter().enumerate() {
            let found = self.writer.find(change).await?;
            all_done &= matches!(found, Found::After | Found::Same);
            if found == Found::Other || (found == Found::Before && refused.contains(&place)) {
                changed.push(left(change, why()));
            }
        }
        if all_done {
            return Ok((Outcome::FoundDone, false));
        }
        if changed.is_empty() {
            // Some items match the image before, others the image after: somebody else is changing them, too.
            changed.extend(step.changes.iter().map(|change| left(change, why())));
        }
        Ok((Outcome::Left(changed), true))
    }
}

fn left(change: &ItemChange, why: String) -> Left {
    Left {
        key: change.key().clone(),
        why,
    }
}

/// How a step that was sent ended.
struct Ended {
    number: u64,
    outcome: Outcome,
    /// Whether planning it again may help.
    may_change: bool,
}
