{#- An instant from a text that an API wrote: ISO 8601 with or without an offset, or localized (month first).

    What has no offset is in the time zone given. What cannot be read is null, and so is the first of January of the year 1,
    which .NET writes where there is none. -#}
{% macro instant_from_text(expression, time_zone) -%}
    {%- set text = clean_text(expression) -%}
    {%- set formats = [
        '%m/%d/%Y %I:%M:%S %p', '%m/%d/%Y %I:%M %p', '%m/%d/%Y %H:%M:%S', '%m/%d/%Y %H:%M', '%m/%d/%Y',
        '%b %d, %Y %I:%M:%S %p', '%b %d, %Y %I:%M %p', '%b %d, %Y', '%B %d, %Y %I:%M:%S %p', '%B %d, %Y %I:%M %p', '%B %d, %Y',
    ] -%}
    case
        when {{ text }} like '0001-01-01%' then null
        when regexp_matches({{ text }}, '(Z|[+-][0-9]{2}:?[0-9]{2})$')
            then try_cast(regexp_replace({{ text }}, '([+-][0-9]{2})([0-9]{2})$', '\1:\2') as timestamptz)
        else
            timezone(
                {{ time_zone }},
                coalesce(try_cast({{ text }} as timestamp), try_strptime({{ text }}, {{ formats }}))
            )
    end
{%- endmacro %}
