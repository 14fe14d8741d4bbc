{#- What a gift or schedule says about its campaign, as one text: equal texts resolve to the same campaigns, so that the
    resolution, folding included, is done once per distinct text and not once per gift. Arguments are columns. -#}
{% macro campaign_lookup_key(columns) -%}
    {%- set texts = [] -%}
    {%- for column in columns -%}
        {%- do texts.append("coalesce(cast(" ~ column ~ " as varchar), '')") -%}
    {%- endfor -%}
    concat_ws(chr(31), {{ texts | join(', ') }})
{%- endmacro %}
