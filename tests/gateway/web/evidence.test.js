import assert from "node:assert/strict";
import { test } from "node:test";

import {
  alertsOf, describeAlternatives, describeCalibration, describeFeatureDrift, describeLabels, describeSet, describeSets,
  formatInterval, verdictBadge,
} from "../../../services/gateway/web/lib/evidence.js";

const CALM = {
  champion: "a",
  models: { a: { accuracy: 0.9 } },
  feature_drift: 2,
  feature_drift_threshold: 9,
  label_order: { mixed: true, text: "" },
  verdicts: {},
};

test("an interval has one unit, and is one number where both ends are the same", () => {
  assert.equal(formatInterval([0.9641, 0.981]), "96.4 to 98.1 %");
  assert.equal(formatInterval([0.99999, 1]), "99.9 to 100 %");
  assert.equal(formatInterval([0.5, 0.50001]), "50.0 %");
  assert.equal(formatInterval(null), null);
  assert.equal(formatInterval(undefined), null);
});

test("nothing is said where all is as it should be, nor by a gateway that does not know", () => {
  assert.deepEqual(alertsOf(CALM), []);
  assert.deepEqual(alertsOf({ feature_drift: 20 }), []);
  assert.deepEqual(alertsOf({ ...CALM, label_order: null, verdicts: { b: { verdict: "worse", text: "" } } }), []);
});

test("what flatters comes first, then what has changed, then who does better", () => {
  const verdicts = { a: { verdict: "open", text: "" }, b: { verdict: "better", text: "b was right more often." } };
  const order = { mixed: false, text: "Labels come class after class: the newest 40 are all of one class." };
  const titles = (alerts) => alerts.map(({ title }) => title);
  const changed = alertsOf({ ...CALM, feature_drift: 9.5, verdicts });
  assert.deepEqual(titles(changed), ["The images have changed.", "b does better."]);
  assert.match(changed[1].text, /^b was right more often\. Nothing changes by itself/);
  // Class after class the images change all the time.
  const inOrder = alertsOf({ ...CALM, feature_drift: 9.5, verdicts, label_order: order });
  assert.deepEqual(titles(inOrder), ["Accuracy looks better than it is.", "b does better."]);
  assert.match(inOrder[0].text, /^Labels come class after class: the newest 40 are all of one class\. /);
  assert.deepEqual(titles(alertsOf({ ...CALM, label_order: order, models: { a: { accuracy: null } } })), []);
});

test("a verdict has a badge, and only good news is green", () => {
  assert.deepEqual(verdictBadge({ verdict: "better", text: "" }), { text: "better lately", kind: "good" });
  for (const verdict of ["worse", "open", "silent"]) assert.equal(verdictBadge({ verdict, text: "" }).kind, "plain");
  assert.equal(verdictBadge(undefined), null);
  assert.equal(verdictBadge({ verdict: "of a newer gateway", text: "" }), null);
});

test("a model is honest, too sure, or better than it says", () => {
  const points = [{ confidence: 0.5, accuracy: 0.4, count: 100 }, { confidence: 0.9, accuracy: 0.9, count: 300 }];
  const said = (error, of = points) => describeCalibration("slda", { calibration_error: error }, of);
  assert.equal(
    said(0.025),
    "On average slda is 80.0 % sure and 77.5 % right: you can take it at its word. " +
      "Its confidence is off by 2.5 % (calibration error).",
  );
  assert.match(said(0.1), /it is too sure/);
  const inOrder = describeCalibration("slda", { calibration_error: 0.01 }, points, { mixed: false, text: "" });
  assert.match(inOrder, /right: that says little while labels come class after class\. /);
  assert.match(said(0.1, [{ confidence: 0.4, accuracy: 0.6, count: 1 }]), /it is better than it says/);
  assert.equal(said(null), "Not known yet: no prediction has been scored.");
  assert.equal(said(0.1, []), "Not known yet: no prediction has been scored.");
  assert.equal(describeCalibration("slda", undefined, points), "Not known yet: no prediction has been scored.");
});

test("sets say what they promise and what they kept", () => {
  assert.equal(
    describeSets({ level: 0.9, coverage: 0.9041, mean_size: 1.372, scored: 500 }),
    "Then a prediction names several classes; the right one should be among them 90 % of the time. " +
      "It was among them for 90.4 % of the newest 500 labels, with 1.37 classes on average.",
  );
  assert.equal(describeSets({ level: 0.9, coverage: null, mean_size: null, scored: 0 }), null);
  assert.equal(describeSets(undefined), null);
});

test("whether the images changed is said with the score and the threshold", () => {
  assert.equal(describeFeatureDrift(CALM), "Yes: score 2.0, alarm above 9.0. No alarm so far.");
  const marks = [{ images: 1210, scored: 1200, score: 14 }, { images: 5000, scored: 4000, score: 10 }];
  assert.equal(
    describeFeatureDrift({ ...CALM, feature_drift: 14.2, feature_drifts: marks }),
    "No, the newest look unlike those before them: score 14.2, alarm above 9.0. " +
      "Alarms so far: at image 1,210 and at image 5,000.",
  );
  assert.equal(describeFeatureDrift({ feature_drift: 3 }), null);
  assert.match(describeFeatureDrift({ ...CALM, feature_drift: 0 }), /^Not known yet: /);
  assert.match(describeFeatureDrift({ ...CALM, feature_drift: -0.4 }), /^Yes: score 0\.0, /);
});

test("which accuracy is which is said as soon as labels were chosen", () => {
  const models = { slda: { scored: 0 }, logistic: { scored: 1222 } };
  const first = { slda: { scored: 0 } };
  assert.equal(describeLabels({ labelled: 5, label_reasons: { producer: 4, unknown: 1 }, models }), null);
  assert.equal(describeLabels({ labelled: 1, models: first }), null);
  const reasons = { uncertain: 20, producer: 1200, correction: 3 };
  assert.equal(
    describeLabels({ labelled: 1223, label_reasons: reasons, models }),
    "The accuracy above counts all 1,223 labels: 1,200 came with their images, 20 were asked for because the model was " +
      "unsure and 3 are corrections. Labels of images drawn at random would say how it does on all: the list of " +
      "uncertain predictions mixes some in.",
  );
  assert.match(
    describeLabels({ labelled: 1223, label_reasons: { producer: 1200, uncertain: 20, unknown: 1, nightly: 2 }, models }),
    /: 1,200 came with their images, 20 were asked for .* unsure and 3 give another reason or none\./u,
  );
  const sample = { labelled: 64, accuracy: 0.921, interval: [0.84, 0.97] };
  assert.equal(
    describeLabels({ labelled: 64, label_reasons: { random: 64 }, random_sample: sample, models }),
    "The accuracy above counts all 64 labels, all of which are of images drawn at random. Only those at random say how " +
      "it does on all images: 92.1 % right, 84.0 to 97.0 % with 95 % certainty.",
  );
});

test("labels of images that came before any class was known are said not to count", () => {
  const said = (scored, more) => describeLabels({ labelled: 420, models: { slda: { scored } }, ...more });
  const early = "came before any class was known, so there was no prediction to score.";
  const none = `There is none yet: all 420 labelled images ${early} Label images that come from now on.`;
  assert.equal(said(0, { label_reasons: { random: 420 } }), none);
  assert.equal(said(0, { label_reasons: { producer: 420 } }), none);
  const some = `The accuracy above counts 120 of 420 labels: the other 300 images ${early}`;
  assert.equal(said(120, { label_reasons: { producer: 420 } }), some);
  assert.equal(
    said(120, { label_reasons: { producer: 120, random: 300 }, random_sample: null }),
    `${some} Of all labels, 120 came with their images and 300 are of images drawn at random. ` +
      "None of those at random is counted.",
  );
});

test("only a set that is not just the prediction is named", () => {
  const beside8 = (set, more = {}) => describeAlternatives({ label: "8", set, set_level: 0.9, ...more });
  assert.equal(beside8(["8"]), null);
  assert.equal(beside8(["8", "9"]), "or 9");
  assert.equal(beside8(["8", "9", "3", "1"]), "or 9, 3, 1");
  assert.equal(beside8(["8", "9", "3", "1", "0"]), "or 4 others");
  assert.equal(beside8(["8", "9", "3"], { set_size: 20 }), "or 19 others");
  assert.equal(beside8([]), null);
  assert.equal(beside8(["8", "9"], { set_level: 0 }), null);
  assert.equal(describeAlternatives({ label: "8" }), null);
});

test("a set is a sentence", () => {
  assert.equal(describeSet({ set: ["8", "9", "3"], set_level: 0.9 }), "It is “8”, “9” or “3”, with 90 % certainty.");
  assert.equal(
    describeSet({ set: ["8", "9"], set_level: 0.99, set_size: 5 }),
    "It is “8”, “9” or 3 other classes, with 99 % certainty.",
  );
  assert.equal(describeSet({ set: ["8", "9"] }), null);
  assert.equal(describeSet({ set: ["8"], set_level: 0.9 }), null);
  assert.equal(describeSet({}), null);
});
