{{/* What the controller is told, as environment: the settings of docs/cli.md. */}}

{{- define "serai.env" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: SERAI_PROBES
  value: ":15014"
{{- if .Values.proxy.deploy }}
- name: SERAI_PROXY_IMAGE
  value: {{ .Values.proxy.image | quote }}
- name: SERAI_XDS_HOST
  value: {{ .Values.xds.host | default (printf "%s.%s.svc" .Release.Name .Release.Namespace) | quote }}
{{- with .Values.proxy.replicas }}
- name: SERAI_PROXY_REPLICAS
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if not .Values.xds.tls }}
- name: SERAI_XDS_TLS
  value: none
{{- else if .Values.xds.certificateSecret }}
- name: SERAI_XDS_TLS
  value: /etc/serai/xds
{{- end }}
{{- with .Values.revision }}
- name: SERAI_REVISION
  value: {{ . | quote }}
{{- end }}
{{- with .Values.discoveryNamespaceSelectors }}
- name: SERAI_DISCOVERY_NAMESPACE_SELECTORS
  value: {{ toJson . | quote }}
{{- end }}
{{- with .Values.clusterDomain }}
- name: SERAI_CLUSTER_DOMAIN
  value: {{ . | quote }}
{{- end }}
{{- with .Values.trustDomain }}
- name: SERAI_TRUST_DOMAIN
  value: {{ . | quote }}
{{- end }}
{{- with .Values.logLevel }}
- name: SERAI_LOG_LEVEL
  value: {{ . | quote }}
{{- end }}
{{- if .Values.rateLimit.enabled }}
- name: SERAI_RATE_LIMIT_SERVICE
  value: {{ printf "%s-ratelimit.%s.svc.%s:8081" .Release.Name .Release.Namespace (.Values.clusterDomain | default "cluster.local") | quote }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}
