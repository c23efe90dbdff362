// What `openbell doctor` says of a service's clock that is told by HTTP, and so to the second.

import { doubtful, type Finding } from './doctor-finding.js';

const TOLERANCE_MS = 2_000;

/**
 * A finding when that clock and ours differ; null when they do not, as far as it is known.
 * @param skewMs what its clock says less what ours does; NaN: it does not say
 */
export function clockDoubt(name: string, place: string, skewMs: number): Finding | null {
  if (!(Math.abs(skewMs) > TOLERANCE_MS)) return null;
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  const detail = `${place}: ${seconds} s ${skewMs < 0 ? 'behind' : 'ahead of'} this host`;
  return doubtful(name, detail, 'run chrony or ntpd on both');
}
