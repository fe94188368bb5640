//! The order of several services: each starts when those are ready that it depends on, and stops
//! before they do.

/// Which service depends on which. They are told apart by their numbers, from 0 on.
#[derive(Clone, Debug, Default)]
pub struct Order {
    needs: Vec<Vec<usize>>,
}

impl Order {
    /// An order of services of which each depends on those that it `needs`. There must be no
    /// cycle, or those in it would never start.
    pub fn new(needs: Vec<Vec<usize>>) -> Self {
        Self { needs }
    }

    /// What a service waits for, of all that it needs.
    pub fn awaits(&self, service: usize, is_ready: impl Fn(usize) -> bool) -> Vec<usize> {
        let needs = self.needs.get(service).map_or(&[][..], Vec::as_slice);
        needs.iter().copied().filter(|&needed| !is_ready(needed)).collect()
    }

    /// Whether nothing is left that depends on a service, so that it may stop.
    pub fn may_stop(&self, service: usize, has_ended: impl Fn(usize) -> bool) -> bool {
        let mut dependents = (0..self.needs.len()).filter(|&of| self.needs[of].contains(&service));
        dependents.all(has_ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_starts_from_one_end_and_stops_from_the_other() {
        // web → api → db
        let order = Order::new(vec![vec![1], vec![2], vec![]]);
        let ready = |list: &'static [usize]| move |service: usize| list.contains(&service);
        let startable = |is_ready: &'static [usize]| -> Vec<usize> {
            (0..3).filter(|&service| order.awaits(service, ready(is_ready)).is_empty()).collect()
        };
        assert_eq!(
            (startable(&[]), startable(&[2]), startable(&[1, 2])),
            (vec![2], vec![1, 2], vec![0, 1, 2])
        );
        assert_eq!(order.awaits(0, ready(&[2])), [1]);
        let stoppable = |ended: &'static [usize]| -> Vec<usize> {
            (0..3).filter(|&service| order.may_stop(service, ready(ended))).collect()
        };
        assert_eq!(
            (stoppable(&[]), stoppable(&[0]), stoppable(&[0, 1])),
            (vec![0], vec![0, 1], vec![0, 1, 2])
        );
    }
}
