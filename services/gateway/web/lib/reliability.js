/** The points of a reliability curve, of as many predictions each that they mean something. */

/** @import { ReliabilityPoint } from "../api/types.js" */

/** Of 30 predictions the share that was right is known to about 9 points; of a third of them the curve is all noise. */
const MIN_COUNT = 30;

/**
 * Pools neighbours that have too few predictions alone, from the least sure on; what is left joins the last.
 * @param {ReliabilityPoint[]} points the least sure first
 * @returns {ReliabilityPoint[]}
 */
export function poolPoints(points) {
  /** @type {ReliabilityPoint[]} */
  const pooled = [];
  /** Has too few so far. @type {ReliabilityPoint | null} */
  let open = null;
  for (const point of points) {
    open = open === null ? point : merge(open, point);
    if (open.count < MIN_COUNT) continue;
    pooled.push(open);
    open = null;
  }
  if (open !== null) {
    const last = pooled.pop();
    pooled.push(last ? merge(last, open) : open);
  }
  return pooled;
}

/**
 * @param {ReliabilityPoint} a
 * @param {ReliabilityPoint} b
 * @returns {ReliabilityPoint}
 */
function merge(a, b) {
  const count = a.count + b.count;
  /** @param {"confidence" | "accuracy"} share */
  const mean = (share) => (a[share] * a.count + b[share] * b.count) / count;
  return { confidence: mean("confidence"), accuracy: mean("accuracy"), count };
}
