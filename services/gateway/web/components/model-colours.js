/** Which colour a model has, in the chart and in its legend. */

/** As many as people can tell apart; style.css has the same number. More models share them. */
const MODEL_COLOURS = 6;

/**
 * The number of a model's colour, from 1.
 * @param {number} index of the model
 * @returns {number}
 */
export function colourNumber(index) {
  return (index % MODEL_COLOURS) + 1;
}
