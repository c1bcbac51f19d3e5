# The default policy by hand in Rego: it decides like ../default.yaml. This is not legal advice.
#
# `manifest` is what a rule file says beside its conditions; `outcome` has the condition of every rule, written with the
# three-valued comparisons of data.guardrail.three (guardrail/policy/engines/three.rego), which take names of signals.
# Each rule names under `reads` the signals that its condition compares.
#
# In process: pip install "guardrail-diffusion[rego]", then policy="rego:default" or the path of this file.
# On a server: opa run --server three.rego default.rego, then
# policy="opa:http://127.0.0.1:8181/v1/data/guardrail/default_policy".
package guardrail.default_policy

import data.guardrail.three
import rego.v1

decision := three.answer(manifest, outcome)

sexual := {"leaning": 0.25, "suggestive": 0.40, "explicit": 0.70}

nudity := {"trace": 0.25, "partial": 0.35, "explicit": 0.65}

real := {"likely": 0.50}

minor := {"possible": 0.20}

match := {"person": 0.50}

something_sexual := three.any_of([
	three.at_least("prompt.sexual", sexual.leaning),
	three.at_least("reference.nudity", nudity.partial),
	three.at_least("step.nudity", nudity.partial),
	three.at_least("output.nudity", nudity.partial),
])

a_real_person := three.any_of([
	three.some_item("prompt.persons", [["match", ">=", match.person]]),
	three.some_item("reference.faces", [["real", ">=", real.likely]]),
	three.some_item("reference.faces", [["match", ">=", match.person]]),
	three.some_item("output.faces", [["match", ">=", match.person]]),
])

# ---- Never, in any deployment

outcome["real-person-sexual"] := three.all_of([something_sexual, a_real_person])

outcome["minor-sexual"] := three.all_of([something_sexual, three.at_least("prompt.minor", minor.possible)])

outcome["protected-identity"] := three.any_of([
	three.some_item("reference.faces", [["gallery", "==", "protected"], ["match", ">=", match.person]]),
	three.some_item("output.faces", [["gallery", "==", "protected"], ["match", ">=", match.person]]),
])

outcome["undressing-edit"] := three.at_least("reference.edit", sexual.leaning)

outcome["known-image"] := three.any_of([
	three.equals("reference.hash_match", true),
	three.equals("output.hash_match", true),
])

# ---- What is asked for

outcome["explicit-request"] := three.at_least("prompt.sexual", sexual.explicit)

outcome["suggestive-request"] := three.at_least("prompt.sexual", sexual.suggestive)

outcome["named-public-figure"] := three.some_item("prompt.persons", [
	["kind", "==", "public"],
	["match", ">=", match.person],
])

outcome["unreadable-input"] := three.some_item("request.unverified", [[
	"kind",
	"in",
	["image-embedding", "condition-latent", "token-ids", "unknown"],
]])

# ---- What goes in

outcome["reference-nudity"] := three.at_least("reference.nudity", nudity.explicit)

outcome["face-without-consent"] := three.some_item("reference.faces", [
	["real", ">=", real.likely],
	["identifiable", "==", true],
	["consent", "in", ["no", "unknown"]],
])

# ---- What comes out

outcome["output-nudity"] := three.at_least("output.nudity", nudity.partial)

outcome["adapter-nudity"] := three.all_of([
	three.some_item("request.adapters", [["kind", "in", ["lora", "textual-inversion"]]]),
	three.some_item("output.faces", [["real", ">=", real.likely]]),
	three.at_least("output.nudity", nudity.trace),
])

outcome["unmarkable-output"] := three.equals("output.markable", "none")

outcome["mark-everything"] := three.yes

# ---- What a rule file says beside its conditions

manifest := {
	"policy": {"id": "default", "version": "1.0.0"},
	"rules": {
		"real-person-sexual": {
			"locked": true,
			"severity": "critical",
			"at": ["prompt", "reference", "step", "output"],
			"reads": [
				"prompt.sexual", "reference.nudity", "step.nudity", "output.nudity",
				"prompt.persons", "reference.faces", "output.faces",
			],
			"then": ["block"],
			"message": "no-real-people",
		},
		"minor-sexual": {
			"locked": true,
			"severity": "critical",
			"at": ["prompt", "reference", "step", "output"],
			"reads": ["prompt.sexual", "reference.nudity", "step.nudity", "output.nudity", "prompt.minor"],
			"then": ["block", {"report": {"queue": "csam"}}],
			"message": "refused",
		},
		"protected-identity": {
			"locked": true,
			"severity": "high",
			"at": ["reference", "output"],
			"reads": ["reference.faces", "output.faces"],
			"then": ["block"],
			"message": "protected-person",
		},
		"undressing-edit": {
			"locked": true,
			"severity": "critical",
			"at": ["reference"],
			"reads": ["reference.edit"],
			"then": ["block"],
			"message": "no-real-people",
		},
		"known-image": {
			"locked": true,
			"severity": "critical",
			"at": ["reference", "output"],
			"reads": ["reference.hash_match", "output.hash_match"],
			"then": ["block"],
			"message": "known-image",
		},
		"explicit-request": {
			"severity": "high",
			"at": ["prompt"],
			"reads": ["prompt.sexual"],
			"then": ["block"],
			"message": "no-explicit",
		},
		"suggestive-request": {
			"severity": "medium",
			"at": ["prompt"],
			"reads": ["prompt.sexual"],
			"then": [{"guide": {"away_from": "nudity"}}],
			"message": "toned-down",
		},
		"named-public-figure": {
			"severity": "low",
			"at": ["prompt"],
			"reads": ["prompt.persons"],
			"then": [{"label": {"likeness": true}}],
		},
		"unreadable-input": {
			"severity": "high",
			"at": ["prompt"],
			"reads": ["request.unverified"],
			"then": ["block"],
			"message": "unreadable",
		},
		"reference-nudity": {
			"severity": "high",
			"at": ["reference"],
			"reads": ["reference.nudity"],
			"then": ["block"],
			"message": "no-explicit",
		},
		"face-without-consent": {
			"severity": "medium",
			"at": ["reference"],
			"reads": ["reference.faces"],
			"then": [{"blur": {"target": "unconsented-faces"}}],
			"message": "face-blurred",
		},
		"output-nudity": {
			"severity": "medium",
			"at": ["output"],
			"reads": ["output.nudity"],
			"then": [{"regenerate": {"max": 2}}, {"blur": {"target": "nudity"}}],
			"message": "toned-down",
		},
		"adapter-nudity": {
			"severity": "high",
			"at": ["output"],
			"reads": ["request.adapters", "output.faces", "output.nudity"],
			"then": ["block"],
			"message": "no-real-people",
		},
		"unmarkable-output": {
			"severity": "high",
			"at": ["output"],
			"reads": ["output.markable"],
			"then": ["block"],
			"message": "too-small",
		},
		"mark-everything": {
			"severity": "info",
			"at": ["output"],
			"reads": [],
			"then": [{"label": {"watermark": "invisible", "source_type": "trainedAlgorithmicMedia"}}],
		},
	},
	"messages": messages,
}

# What the end user reads. It never says which check objected or how close it was.
messages := {
	"no-real-people": {
		"en": "We do not make sexual images of real people.",
		"ko": "실존 인물의 성적 이미지는 만들지 않습니다.",
		"ja": "実在の人物の性的な画像は作成しません。",
		"zh": "我们不生成真实人物的色情图像。",
		"es": "No creamos imágenes sexuales de personas reales.",
	},
	"refused": {
		"en": "This request was refused.",
		"ko": "요청이 거부되었습니다.",
		"ja": "このリクエストは拒否されました。",
		"zh": "该请求已被拒绝。",
		"es": "Esta solicitud ha sido rechazada.",
	},
	"protected-person": {
		"en": "A person in this image has asked not to be depicted.",
		"ko": "이미지 속 인물이 자신의 모습이 사용되지 않기를 요청했습니다.",
		"ja": "画像の人物から、描写しないよう求められています。",
		"zh": "图像中的人物已要求不被描绘。",
		"es": "Una persona de esta imagen ha pedido no ser representada.",
	},
	"known-image": {
		"en": "This image is known and may not be used.",
		"ko": "이 이미지는 알려진 이미지로, 사용할 수 없습니다.",
		"ja": "この画像は既知のもので、使用できません。",
		"zh": "该图像为已知图像，不得使用。",
		"es": "Esta imagen es conocida y no se puede utilizar.",
	},
	"no-explicit": {
		"en": "We do not make explicit images.",
		"ko": "노골적인 성적 이미지는 만들지 않습니다.",
		"ja": "露骨な性的画像は作成しません。",
		"zh": "我们不生成露骨的色情图像。",
		"es": "No creamos imágenes explícitas.",
	},
	"toned-down": {
		"en": "Nudity was toned down.",
		"ko": "노출을 줄였습니다.",
		"ja": "露出を抑えました。",
		"zh": "已减少裸露内容。",
		"es": "Se ha reducido la desnudez.",
	},
	"face-blurred": {
		"en": "A face without consent was blurred.",
		"ko": "동의하지 않은 얼굴을 흐리게 처리했습니다.",
		"ja": "同意のない顔をぼかしました。",
		"zh": "未经同意的面部已作模糊处理。",
		"es": "Se ha difuminado un rostro sin consentimiento.",
	},
	"unreadable": {
		"en": "Part of this request cannot be checked. Please send text or images instead.",
		"ko": "요청의 일부를 확인할 수 없습니다. 텍스트나 이미지로 보내 주세요.",
		"ja": "リクエストの一部を確認できません。テキストまたは画像で送信してください。",
		"zh": "请求的部分内容无法检查。请改用文本或图像。",
		"es": "Una parte de esta solicitud no se puede comprobar. Envíe texto o imágenes.",
	},
	"too-small": {
		"en": "Images this small cannot be marked as generated. Please ask for a larger one.",
		"ko": "이미지가 너무 작아 생성물 표시를 넣을 수 없습니다. 더 큰 크기로 요청해 주세요.",
		"ja": "画像が小さすぎて生成物の表示を入れられません。より大きなサイズを指定してください。",
		"zh": "图像太小，无法添加生成标识。请请求更大的尺寸。",
		"es": "Una imagen tan pequeña no se puede marcar como generada. Solicite una más grande.",
	},
}
